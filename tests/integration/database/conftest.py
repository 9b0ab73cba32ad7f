"""A real PostgreSQL server, and a database of its own for every test.

`HYDRASCOPE_TEST_DSN` may name another server, such as a TimescaleDB, whose user may create
databases; the tests that stop a server stop one of our own all the same.
"""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from databases import HAS_TIMESCALEDB, SERVES_ONE, at, machine, migrate, sql, telemetry
from stored_source import START, ingest
from tests.support.postgres import Server, postgres
from tests.support.timescaledb import MISSING, timescaledb

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
    migrate(at(server_dsn, _TEMPLATE))
    _close_to_others(server_dsn, _TEMPLATE)
    yield _TEMPLATE
    sql(server_dsn, f"DROP DATABASE {_TEMPLATE} WITH (FORCE)")


def _close_to_others(server_dsn: str, database: str) -> None:
    """Let nobody connect to a database, so that it can be copied at any time.

    TimescaleDB keeps a scheduler in each database, and starts another one in a template that is
    copied, unless the template takes no connections.
    """
    stop_scheduler = """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
                PERFORM timescaledb_pre_restore();
            END IF;
        END $$
    """
    sql(at(server_dsn, database), stop_scheduler)
    sql(server_dsn, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """A database without anything in it."""
    yield from _database(server_dsn, "template0")


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with the present schema; where the test asks for it, with TimescaleDB."""
    if getattr(request, "param", None) == "timescaledb":
        yield request.getfixturevalue("timescale_dsn")
    else:
        server_dsn = request.getfixturevalue("server_dsn")
        yield from _database(server_dsn, request.getfixturevalue("template"))


@pytest.fixture
def plain_dsn(server: Server) -> Iterator[str]:
    """A database with the present schema, without TimescaleDB."""
    for dsn in _database(server.dsn(), "template0"):
        migrate(dsn)
        yield dsn


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[str]:
    """Our own TimescaleDB: one database, one connection at a time."""
    if MISSING:
        pytest.skip("TimescaleDB is not installed: that needs Node and npm")
    with timescaledb() as dsn:
        SERVES_ONE.add(dsn)
        yield dsn


@pytest.fixture
def empty_timescale_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of a server with TimescaleDB, without anything in it."""
    given = os.environ.get("HYDRASCOPE_TEST_DSN")
    if given is not None and sql(given, HAS_TIMESCALEDB)[0][0]:
        yield from _database(given, "template0")
    else:
        dsn = request.getfixturevalue("timescale_server")
        yield dsn
        sql(dsn, "DROP SCHEMA IF EXISTS hydrascope CASCADE")


@pytest.fixture
def timescale_dsn(empty_timescale_dsn: str) -> str:
    """The same with the present schema."""
    migrate(empty_timescale_dsn)
    return empty_timescale_dsn


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
