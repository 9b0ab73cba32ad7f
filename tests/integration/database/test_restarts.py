"""A server that stops, starts again, is full or away costs no row and no connection."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import asyncpg
import numpy as np
import pandas as pd
import pytest
from databases import (
    at,
    connected,
    fill,
    machine,
    none_left,
    seconds,
    settings,
    sql,
    telemetry,
)
from tests.support.postgres import Server, postgres

from hydrascope.data.build import StoreConfig, open_stores
from hydrascope.data.windows import WindowSpec, plan_windows
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.errors import (
    DatabaseUnavailableError,
)
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.source import TimescaleSource


@pytest.fixture(scope="module")
def own() -> Iterator[tuple[Server, str]]:
    """A server to be stopped, and a database on it."""
    with postgres(max_connections="15") as server:
        sql(server.dsn(), "CREATE DATABASE faults")
        dsn = at(server.dsn(), "faults")

        async def work() -> None:
            async with Database(settings(dsn)) as database:
                await upgrade(database)

        asyncio.run(work())
        yield server, dsn


@pytest.fixture
def own_dsn(own: tuple[Server, str]) -> str:
    """The same with empty tables."""
    sql(
        own[1],
        "TRUNCATE hydrascope.equipment, hydrascope.sensors, hydrascope.telemetry, "
        "hydrascope.labels, hydrascope.ingests, hydrascope.events, hydrascope.predictions, "
        "hydrascope.reference_windows CASCADE",
        "SELECT 1",
    )
    return own[1]


def restarting(server: Server, until: Callable[[], bool]) -> Thread:
    """Stop the server once something is so, and start it a moment later."""

    def work() -> None:
        while not until():
            time.sleep(0.005)
        server.stop()
        time.sleep(0.5)
        server.start()

    thread = Thread(target=work)
    thread.start()
    return thread


def test_a_server_that_restarts_during_a_write_has_every_row_once(
    own: tuple[Server, str], own_dsn: str, whole: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hydrascope.telemetry.timescale.connector.TRANSACTION_ROWS", 2000)
    written = []

    async def work() -> int:
        async with connected(own_dsn, timeout_s=30, retry_for_s=30) as connector:
            await connector.equipment.save(machine())
            plain = connector.database.transaction

            async def counted(inside: Callable[..., object]) -> object:
                written.append(1)
                return await plain(inside)

            monkeypatch.setattr(connector.database, "transaction", counted)
            changed = await connector.write_telemetry("press", whole)
            read = await connector.fetch_sensor_data("press", seconds(0, 3000))
            pd.testing.assert_frame_equal(read, whole)
            return changed

    thread = restarting(own[0], lambda: len(written) >= 5)
    changed = asyncio.run(work())
    thread.join()
    assert changed <= len(whole)  # a commit whose answer was lost counts when it is found done
    assert changed >= len(whole) - 2000
    assert none_left(own_dsn)


def test_a_server_that_restarts_during_the_build_of_a_store_changes_nothing(
    own: tuple[Server, str], own_dsn: str, tmp_path: Path
) -> None:
    fill(own_dsn, telemetry(6000))
    engineer = FeatureEngineer(FeatureConfig(patch=False))
    spec = WindowSpec(window_s=2.0, stride_s=2.0, steps=2)
    reads = []

    class Counting(TimescaleSource):
        def _samples(self, *arguments: object) -> object:
            reads.append(1)
            return super()._samples(*arguments)

    def build(name: str) -> dict[str, np.ndarray]:
        source = Counting(own_dsn, scans=tmp_path / name, timeout_s=30, retry_for_s=30)
        plan = plan_windows(source, source.machines()["press"], spec)
        (store,) = open_stores(source, [plan], engineer, StoreConfig(tmp_path / name / "store"))
        return store.read(0, len(plan))

    undisturbed = build("a")
    reads.clear()
    thread = restarting(own[0], lambda: len(reads) >= 1)
    disturbed = build("b")
    thread.join()
    assert undisturbed.keys() == disturbed.keys()
    assert all(np.array_equal(undisturbed[k], disturbed[k], equal_nan=True) for k in undisturbed)


def test_a_server_without_room_is_asked_until_it_has_some(own_dsn: str) -> None:
    fill(own_dsn, telemetry(10))

    async def work() -> None:
        others = []
        while True:
            try:
                others.append(await asyncpg.connect(own_dsn))
            except asyncpg.TooManyConnectionsError:
                break
        async with TimescaleConnector(settings(own_dsn, retry_for_s=0.5)) as connector:
            with pytest.raises(DatabaseUnavailableError, match=r"too many clients.*for 0\.5 s"):
                await connector.fetch_sensor_data("press", seconds(0, 1))
        async with connected(own_dsn) as connector:
            fetch = asyncio.create_task(connector.fetch_sensor_data("press", seconds(0, 1)))
            await asyncio.sleep(0.3)
            await asyncio.gather(*(other.close() for other in others))
            assert len(await fetch) == 30

    asyncio.run(work())
    assert none_left(own_dsn)


def test_a_server_that_is_not_there_is_said_to_be_away(own: tuple[Server, str]) -> None:
    server, dsn = own
    server.stop()
    try:

        async def work() -> None:
            async with connected(dsn, retry_for_s=0.3) as connector:
                assert "Connect call failed" in (await connector.health_check()).error
                with pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1.*tried for 0\.3"):
                    await connector.fetch_sensor_data("press", seconds(0, 1))

        asyncio.run(work())
    finally:
        server.start()
