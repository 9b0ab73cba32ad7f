"""What the tests of the database share: statements, settings, a connector, telemetry."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import numpy as np
import pandas as pd
import pytest

from hydrascope.schemas import Machine, TimeWindow, validate
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.settings import DatabaseSettings, database_settings

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
SERVES_ONE: set[str] = set()
"""The DSNs of servers that serve one connection at a time."""
HAS_TIMESCALEDB = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')"
on_both_servers = pytest.mark.parametrize(
    "dsn",
    ["postgresql", pytest.param("timescaledb", marks=pytest.mark.xdist_group("timescaledb"))],
    indirect=True,
)
"""For tests that one connection is enough for: they also run with TimescaleDB."""


def at(dsn: str, database: str) -> str:
    """Return the DSN of another database of the same server."""
    return urlsplit(dsn)._replace(path=f"/{database}").geturl()


def sql(dsn: str, *statements: str) -> list[Any]:
    """Run statements one after the other; return the rows of the last."""

    async def work() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetch(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(work())


def settings(dsn: str, **keys: Any) -> DatabaseSettings:
    """Return settings with a short patience."""
    pool = {"pool_min": 0, "pool_max": 1} if dsn in SERVES_ONE else {}
    return database_settings(**{"dsn": dsn, "timeout_s": 10, "retry_for_s": 10} | pool | keys)


def migrate(dsn: str, **days: int | None) -> None:
    """Bring a database to the present schema."""

    async def work() -> None:
        async with Database(settings(dsn, timeout_s=60)) as database:
            await upgrade(database, **days)

    asyncio.run(work())


@asynccontextmanager
async def connected(dsn: str, **keys: Any) -> AsyncIterator[TimescaleConnector]:
    async with TimescaleConnector(settings(dsn, **keys)) as connector:
        yield connector


def connections(dsn: str) -> int:
    """Count the connections of Hydrascope to a database."""
    name = urlsplit(dsn).path[1:]
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE application_name = 'hydrascope' AND datname = '{name}'"
    )
    return int(sql(at(dsn, "postgres"), query)[0][0])


def none_left(dsn: str) -> bool:
    """Whether all connections are gone, within the second that the server takes to notice."""
    deadline = time.monotonic() + 5
    while connections(dsn) and time.monotonic() < deadline:
        time.sleep(0.05)
    return connections(dsn) == 0


def machine(sensors: int = 3, equipment_id: str = "press") -> Machine:
    """Return a machine of one component with sensors s0, s1, … of 10 Hz."""
    described = [
        {"id": f"s{number}", "kind": "pressure", "unit": "bar", "rate_hz": 10}
        for number in range(sensors)
    ]
    return validate(
        Machine,
        {
            "equipment": {"equipment_id": equipment_id, "name": "Press"},
            "topology": {
                "id": f"{equipment_id}_build",
                "components": [{"id": "pump", "kind": "pump", "sensors": described}],
            },
        },
    )


def telemetry(instants: int, sensors: int = 3, start: datetime = NOON) -> pd.DataFrame:
    """Return a frame of all sensors at 10 Hz, ordered by sensor and time."""
    time = pd.date_range(start, periods=instants, freq="100ms", unit="us")
    names = [f"s{number}" for number in range(sensors)]
    value = np.random.default_rng(0).normal(100, 20, sensors * instants)
    return pd.DataFrame(
        {
            "time": time.append([time] * (sensors - 1)),
            "sensor_id": pd.Categorical(np.repeat(names, instants), categories=names),
            "value": value,
        }
    )


def seconds(start: float, end: float) -> TimeWindow:
    return TimeWindow(start=NOON + timedelta(seconds=start), end=NOON + timedelta(seconds=end))


async def filled(connector: TimescaleConnector, frame: pd.DataFrame, sensors: int = 3) -> int:
    """Save the machine and write telemetry; return how many rows are new."""
    await connector.equipment.save(machine(sensors))
    return await connector.write_telemetry("press", frame)


def fill(dsn: str, frame: pd.DataFrame) -> None:
    async def work() -> None:
        async with connected(dsn, timeout_s=30) as connector:
            await filled(connector, frame)

    asyncio.run(work())
