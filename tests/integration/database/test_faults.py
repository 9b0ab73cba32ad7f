"""What goes wrong with databases and networks ends in the right data or in one clear error."""

import asyncio
import time

import asyncpg
import pandas as pd
import pytest
from databases import (
    connected,
    fill,
    none_left,
    seconds,
    sql,
    telemetry,
)
from stalling_proxy import stalling_proxy

from hydrascope.telemetry.timescale.errors import (
    DatabaseQueryError,
    DatabaseTimeoutError,
)

KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'hydrascope' AND datname = current_database()
"""


def test_a_backend_killed_in_the_middle_of_a_fetch_is_asked_again(
    dsn: str, whole: pd.DataFrame
) -> None:
    fill(dsn, whole)

    async def work(proxied: str) -> None:
        async with connected(proxied, pool_min=1) as connector:
            await connector.health_check()
            proxy.stall(after_bytes=500_000)
            fetch = asyncio.create_task(connector.fetch_sensor_data("press", seconds(0, 3000)))
            await asyncio.to_thread(proxy.stalled.wait, 10)
            assert len(await asyncio.to_thread(sql, dsn, KILL)) >= 1
            proxy.resume()
            pd.testing.assert_frame_equal(await fetch, whole)

    with stalling_proxy(dsn) as proxy:
        asyncio.run(work(proxy.dsn))
    assert none_left(dsn)


def test_iterating_goes_on_behind_a_killed_backend(dsn: str, whole: pd.DataFrame) -> None:
    fill(dsn, whole)

    async def work() -> list[pd.DataFrame]:
        frames = []
        async with connected(dsn) as connector:
            async for frame in connector.iter_sensor_data("press", seconds(0, 3000), rows=9000):
                frames.append(frame)
                await asyncio.to_thread(sql, dsn, KILL)
        return frames

    frames = asyncio.run(work())
    assert len(frames) > 4
    joined = pd.concat(frames).sort_values(["sensor_id", "time"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole)


@pytest.mark.parametrize("after_bytes", [0, 500_000])
def test_a_network_that_stalls_ends_in_a_timeout_and_costs_no_connection(
    dsn: str, whole: pd.DataFrame, after_bytes: int
) -> None:
    fill(dsn, whole)

    async def work(proxied: str) -> None:
        async with connected(proxied, timeout_s=1.0, pool_min=1, pool_max=2) as connector:
            await connector.fetch_sensor_data("press", seconds(0, 1))
            for _ in range(3):
                proxy.stall(after_bytes)
                begun = time.monotonic()
                with pytest.raises(DatabaseTimeoutError, match=r"no answer within 1 s"):
                    await connector.fetch_sensor_data("press", seconds(0, 3000))
                assert time.monotonic() - begun < 4
                proxy.resume()
            read = await connector.fetch_sensor_data("press", seconds(0, 1))
            pd.testing.assert_frame_equal(
                read, whole[whole["time"] < seconds(0, 1).end].reset_index(drop=True)
            )

    with stalling_proxy(dsn) as proxy:
        asyncio.run(work(proxy.dsn))
    assert none_left(dsn)


def test_a_statement_that_takes_too_long_is_ended_at_the_server_too(dsn: str) -> None:
    fill(dsn, telemetry(10))

    async def work() -> None:
        blocker = await asyncpg.connect(dsn)
        async with connected(dsn, timeout_s=0.5) as connector:
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE hydrascope.telemetry")
                for _ in range(3):
                    with pytest.raises(DatabaseTimeoutError, match=r"no answer within 0\.5 s"):
                        await connector.fetch_sensor_data("press", seconds(0, 1))
                await asyncio.sleep(0.7)
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                assert await blocker.fetchval(waiting) == 0
            assert len(await connector.fetch_sensor_data("press", seconds(0, 1))) == 30
        await blocker.close()

    asyncio.run(work())
    assert none_left(dsn)


def test_a_cancelled_fetch_leaves_nothing_behind(dsn: str, whole: pd.DataFrame) -> None:
    fill(dsn, whole)

    async def work(proxied: str) -> None:
        async with connected(proxied, pool_min=1, pool_max=1) as connector:
            for _ in range(3):
                await connector.health_check()
                proxy.stall(after_bytes=500_000)
                fetch = asyncio.create_task(connector.fetch_sensor_data("press", seconds(0, 3000)))
                await asyncio.to_thread(proxy.stalled.wait, 10)
                fetch.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await fetch
                proxy.resume()
            read = await connector.fetch_sensor_data("press", seconds(0, 3000))
            pd.testing.assert_frame_equal(read, whole)

    with stalling_proxy(dsn) as proxy:
        asyncio.run(work(proxy.dsn))
    assert none_left(dsn)


async def cling(connection: asyncpg.Connection) -> None:
    """Keep a connection a while longer than one may."""
    try:
        await asyncio.sleep(9)
    finally:
        await asyncio.sleep(0.3)


def test_a_pool_in_full_use_is_waited_for_and_then_named(dsn: str) -> None:
    fill(dsn, telemetry(10))

    async def work() -> None:
        async with connected(dsn, timeout_s=1.5, pool_min=0, pool_max=1) as connector:
            holds = asyncio.create_task(
                connector.database.run(lambda c: c.execute("SELECT pg_sleep(0.6)"))
            )
            await asyncio.sleep(0.1)
            await connector.fetch_sensor_data("press", seconds(0, 1))  # waits its turn
            await holds
            clinging = asyncio.create_task(connector.database.run(cling))
            with pytest.raises(DatabaseTimeoutError, match="all 1 connections are in use"):
                await connector.fetch_sensor_data("press", seconds(0, 1))
            with pytest.raises(DatabaseTimeoutError):
                await clinging
            assert len(await connector.fetch_sensor_data("press", seconds(0, 1))) == 30

    asyncio.run(work())
    assert none_left(dsn)


def test_a_wrong_question_is_not_asked_twice(empty_dsn: str) -> None:
    asked = []

    async def wrong(connection: asyncpg.Connection) -> None:
        asked.append(1)
        await connection.fetch("SELECT nothing FROM nowhere")

    async def work() -> None:
        async with connected(empty_dsn) as connector:
            with pytest.raises(DatabaseQueryError, match=r"hydrascope\.\w+.*db upgrade"):
                await connector.fetch_sensor_data("press", seconds(0, 1))
            with pytest.raises(DatabaseQueryError, match='"nowhere" does not exist'):
                await connector.database.run(wrong)

    asyncio.run(work())
    assert len(asked) == 1
