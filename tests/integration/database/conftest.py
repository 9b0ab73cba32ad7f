"""A real PostgreSQL server, and a database of its own for every test.

`HYDRASCOPE_TEST_DSN` may name another server, such as a TimescaleDB, whose user may create
databases; the tests that stop a server stop one of our own all the same.
"""

import asyncio
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from databases import at, machine, sql, telemetry
from stored_source import START, ingest
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines in narrow Parquet and wide CSV: gaps, repeats, flags, other units, labels."""
    folder = tmp_path_factory.mktemp("source") / "telemetry"
    (folder / "machines").mkdir(parents=True)
    (folder / "labels").mkdir()
    for name in ("press", "lift"):
        described = machine(3, name).model_dump(mode="json", exclude_defaults=True)
        described["topology"]["components"][0]["sensors"][0]["range"] = [0.0, 160.0]
        (folder / "machines" / f"{name}.yaml").write_text(yaml.safe_dump(described))
    random = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "timestamp": np.repeat(START + pd.to_timedelta(np.arange(3000) * 0.1, unit="s"), 3),
            "equipment_id": "press",
            "sensor_id": np.tile(["s0", "s1", "s2"], 3000),
            "value": random.normal(120, 25, 9000),
            "quality": np.where(random.random(9000) < 0.01, "bad", "good"),
        }
    )
    rows = rows[(rows.index < 4000) | (rows.index > 4600)].sample(frac=1, random_state=2)
    again = rows.sample(200, random_state=3).assign(value=99.0)
    pd.concat([rows, again]).to_parquet(folder / "press.parquet", index=False)
    wide = pd.DataFrame(random.normal(100, 5, (2000, 3)), columns=["s0", "s1", "s2"])
    wide = wide.mask(random.random(wide.shape) < 0.05)
    wide.insert(0, "timestamp", START + pd.to_timedelta(np.arange(2000) * 0.1, unit="s"))
    wide.insert(1, "equipment_id", "lift")
    wide.to_csv(folder / "lift.csv", index=False)
    labels = pd.DataFrame(
        {
            "equipment_id": ["press"] * 10 + ["lift"] * 10,
            "start": list(START + pd.to_timedelta(np.arange(10) * 20, unit="s")) * 2,
            "end": list(START + pd.to_timedelta(np.arange(1, 11) * 20, unit="s")) * 2,
            "wear": [float(number % 2) for number in range(20)],
            "pump.grade": [number % 3 for number in range(20)],
            "shift": ["early", "late"] * 10,
        }
    )
    labels.to_csv(folder / "labels" / "labels.csv", index=False)
    return folder


@pytest.fixture
def ingested(dsn: str, folder: Path) -> str:
    ingest(folder, dsn, "--accept", "good")
    return dsn
