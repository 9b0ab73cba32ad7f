"""A real PostgreSQL server, and a database of its own for every test.

`HYDRASCOPE_TEST_DSN` may name another server, such as a TimescaleDB, whose user may create
databases; the tests that stop a server stop one of our own all the same.
"""

import asyncio
import os
from collections.abc import Iterator
from itertools import count

import pandas as pd
import pytest
from databases import at, sql, telemetry
from tests.support.postgres import Server, postgres

from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.settings import database_settings

_TEMPLATE = f"hydrascope_template_{os.getpid()}"
_numbers = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Our own server."""
    with postgres(max_connections="40") as running:
        yield running


@pytest.fixture(scope="session")
def server_dsn(request: pytest.FixtureRequest) -> str:
    """Where the tests' databases are made."""
    given = os.environ.get("HYDRASCOPE_TEST_DSN")
    return given if given is not None else request.getfixturevalue("server").dsn()


@pytest.fixture(scope="session")
def template(server_dsn: str) -> Iterator[str]:
    """A database with the present schema, to be copied."""
    sql(server_dsn, f"CREATE DATABASE {_TEMPLATE}")

    async def work() -> None:
        async with Database(database_settings(dsn=at(server_dsn, _TEMPLATE))) as database:
            await upgrade(database)

    asyncio.run(work())
    yield _TEMPLATE
    sql(server_dsn, f"DROP DATABASE {_TEMPLATE} WITH (FORCE)")


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """A database without anything in it."""
    yield from _database(server_dsn, "template0")


@pytest.fixture
def dsn(server_dsn: str, template: str) -> Iterator[str]:
    """A database with the present schema."""
    yield from _database(server_dsn, template)


def _database(server_dsn: str, template: str) -> Iterator[str]:
    name = f"hydrascope_test_{os.getpid()}_{next(_numbers)}"
    sql(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield at(server_dsn, name)
    sql(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def whole() -> pd.DataFrame:
    """20,000 instants of three sensors: 2 MB on the wire."""
    return telemetry(20_000)
