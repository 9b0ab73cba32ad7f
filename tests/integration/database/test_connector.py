"""The connector against a real server: what is written is read, however often it is written."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from databases import (
    NOON,
    connected,
    connections,
    filled,
    machine,
    on_both_servers,
    seconds,
    sql,
    telemetry,
)

from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.telemetry.timescale.connector import Request


@on_both_servers
def test_what_is_written_is_read_and_nothing_is_left_open(dsn: str) -> None:
    whole = telemetry(500)

    async def work() -> pd.DataFrame:
        async with connected(dsn) as connector:
            await filled(connector, whole)
            read = await connector.fetch_sensor_data("press", seconds(0, 50))
            pd.testing.assert_frame_equal(read, whole)
            return await connector.fetch_sensor_data("press", seconds(10, 20.05), ["s2", "s0"])

    part = asyncio.run(work())
    inside = (whole["time"] >= seconds(10, 11).start) & (whole["time"] < seconds(0, 20.05).end)
    assert list(part["sensor_id"].cat.categories) == ["s2", "s0"]
    for name in ("s0", "s2"):
        expected = whole[inside & (whole["sensor_id"] == name)]
        found = part[part["sensor_id"] == name]
        assert found[["time", "value"]].to_numpy().tolist() == (
            expected[["time", "value"]].to_numpy().tolist()
        )
    assert connections(dsn) == 0


@on_both_servers
def test_windows_are_half_open_and_an_empty_one_is_an_empty_frame(dsn: str) -> None:
    async def work() -> None:
        async with connected(dsn) as connector:
            await filled(connector, telemetry(10))
            two = await connector.fetch_sensor_data("press", seconds(0.1, 0.3), ["s0"])
            assert two["time"].tolist() == [NOON + timedelta(seconds=s) for s in (0.1, 0.2)]
            none = await connector.fetch_sensor_data("press", seconds(100, 200))
            assert none.empty
            assert none.dtypes["value"] == np.float64
            assert str(none.dtypes["time"]) == "datetime64[us, UTC]"
            assert [f async for f in connector.iter_sensor_data("press", seconds(100, 200))] == []

    asyncio.run(work())


@on_both_servers
def test_rows_written_again_change_nothing_and_others_replace(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hydrascope.telemetry.timescale.connector.TRANSACTION_ROWS", 100)
    whole = telemetry(200)
    again = whole.sample(frac=1.0, random_state=0)
    again.loc[again.index[:7], "value"] += 1
    expected = again.sort_index()

    async def work() -> None:
        async with connected(dsn) as connector:
            assert await filled(connector, whole) == 600
            assert await connector.write_telemetry("press", whole) == 0
            assert await connector.write_telemetry("press", again) == 7
            # Of rows of one instant the last wins, also within one frame.
            twice = pd.concat([whole.iloc[:1].assign(value=1.0), whole.iloc[:1].assign(value=2.0)])
            assert await connector.write_telemetry("press", twice) == 1
            read = await connector.fetch_sensor_data("press", seconds(0, 50))
            expected.loc[0, "value"] = 2.0
            pd.testing.assert_frame_equal(read, expected)

    asyncio.run(work())
    assert sql(dsn, "SELECT count(*) FROM hydrascope.telemetry")[0][0] == 600


def test_two_writers_of_the_same_rows_write_each_once(dsn: str) -> None:
    whole = telemetry(3000)

    async def work() -> None:
        async with connected(dsn) as connector:
            await connector.equipment.save(machine())
            writes = [connector.write_telemetry("press", whole) for _ in range(4)]
            assert sum(await asyncio.gather(*writes)) == len(whole)
            read = await connector.fetch_sensor_data("press", seconds(0, 300))
            pd.testing.assert_frame_equal(read, whole)

    asyncio.run(work())


@on_both_servers
def test_slices_together_are_the_whole_whatever_the_density(dsn: str) -> None:
    dense, sparse = telemetry(2000), telemetry(2000).iloc[::97]
    sparse["time"] += pd.Timedelta(days=40)
    whole = pd.concat([dense, sparse]).sort_values(["sensor_id", "time"], ignore_index=True)
    window = TimeWindow(start=NOON - timedelta(days=9), end=NOON + timedelta(days=90))

    async def work() -> list[pd.DataFrame]:
        async with connected(dsn) as connector:
            await filled(connector, whole)
            return [f async for f in connector.iter_sensor_data("press", window, rows=300)]

    frames = asyncio.run(work())
    assert len(frames) > 20
    assert max(map(len, frames)) <= 600
    assert all(a["time"].max() < b["time"].min() for a, b in pairwise(frames))
    joined = pd.concat(frames).sort_values(["sensor_id", "time"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole)


def test_a_batch_answers_each_request_in_turn(dsn: str) -> None:
    async def work() -> None:
        async with connected(dsn, pool_max=2) as connector:
            await filled(connector, telemetry(100))
            windows = [seconds(second, second + 1) for second in range(9)]
            frames = await connector.fetch_batch_sensor_data(
                [Request("press", window, ["s1"]) for window in windows]
            )
            assert [frame["time"].min() for frame in frames] == [w.start for w in windows]
            assert {len(frame) for frame in frames} == {10}
            assert (await connector.health_check()).connections == 2
            with pytest.raises(SpecError, match="no machine 'pres'; there is: 'press'"):
                await connector.fetch_batch_sensor_data([Request("pres", windows[0])])

    asyncio.run(work())
    assert connections(dsn) == 0


@on_both_servers
def test_flags_of_quality_select_rows(dsn: str) -> None:
    async def work() -> None:
        async with connected(dsn) as connector:
            await filled(connector, telemetry(10).assign(quality=[0, 1] * 15))
            good = await connector.fetch_sensor_data("press", seconds(0, 1), quality=[0])
            assert len(good) == 15
            assert len(await connector.fetch_sensor_data("press", seconds(0, 1))) == 30

    asyncio.run(work())


@on_both_servers
def test_ten_thousand_sensors_are_one_machine(dsn: str) -> None:
    whole = telemetry(3, sensors=10_000)

    async def work() -> None:
        async with connected(dsn, timeout_s=30) as connector:
            assert await filled(connector, whole, sensors=10_000) == 30_000
            read = await connector.fetch_sensor_data("press", seconds(0, 1))
            pd.testing.assert_frame_equal(read, whole)
            assert len((await connector.equipment.get("press")).topology.sensors) == 10_000

    asyncio.run(work())


HOSTILE = ['"; DROP TABLE hydrascope.telemetry; --', "'; DROP TABLE x; --", "a$1", "%I", "ü\\"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names_like_others(dsn: str, name: str) -> None:
    async def work() -> None:
        async with connected(dsn) as connector:
            await filled(connector, telemetry(10))
            with pytest.raises(SpecError, match="no machine"):
                await connector.fetch_sensor_data(name, seconds(0, 1))
            with pytest.raises(SpecError, match="press: no sensor"):
                await connector.fetch_sensor_data("press", seconds(0, 1), [name])
            with pytest.raises(SpecError, match="no topology"):
                await connector.topologies.get(name)
            assert len(await connector.fetch_sensor_data("press", seconds(0, 1))) == 30

    asyncio.run(work())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time": pd.Timestamp("2024-05-01 12:00")}, r"2024-05-01 12:00:00.*with time zone"),
        ({"sensor_id": "p_in"}, "press: no sensor 'p_in'; there are: s0, s1, s2"),
        ({"sensor_id": None}, "30 rows without time or sensor_id"),
    ],
)
def test_a_frame_that_makes_no_sense_is_refused(
    dsn: str, change: dict[str, object], said: str
) -> None:
    async def work() -> None:
        async with connected(dsn) as connector:
            await filled(connector, telemetry(10))
            with pytest.raises(SpecError, match=said):
                await connector.write_telemetry("press", telemetry(10).assign(**change))
            with pytest.raises(SpecError, match="no column value; it has: time, sensor_id"):
                await connector.write_telemetry("press", telemetry(10).drop(columns="value"))

    asyncio.run(work())


def test_times_reversed_or_without_zone_are_no_window() -> None:
    with pytest.raises(SpecError, match="expected a time after start"):
        TimeWindow(start=NOON, end=NOON - timedelta(seconds=1))
    with pytest.raises(SpecError, match="timezone"):
        TimeWindow(start=datetime(2024, 5, 1), end=datetime(2024, 5, 2, tzinfo=UTC))


def test_the_health_check_says_how_the_pool_is(dsn: str) -> None:
    async def work() -> None:
        async with connected(dsn, health_s=0.05, pool_min=3, pool_max=4) as connector:
            while connector.database.last_health is None:
                await asyncio.sleep(0.01)
            first = connector.database.last_health
            assert first.ok
            assert first.server.startswith("PostgreSQL ")
            assert (first.connections, first.idle, first.pool_max) == (3, 3, 4)
            await asyncio.sleep(0.2)
            assert connector.database.last_health.checked_at > first.checked_at

    asyncio.run(work())
    assert connections(dsn) == 0


def test_bulk_decoding_is_several_times_as_fast_as_a_python_object_a_value(dsn: str) -> None:
    whole = telemetry(10_000, sensors=6)
    query = "SELECT time, sensor_key, value FROM hydrascope.telemetry"

    async def work() -> tuple[float, float]:
        ours, plain = [], []
        async with connected(dsn, timeout_s=30) as connector:
            await filled(connector, whole, sensors=6)
            for _ in range(4):
                begun = time.thread_time()
                await connector.fetch_sensor_data("press", seconds(0, 1000))
                ours.append(time.thread_time() - begun)
                begun = time.thread_time()
                rows = await connector.database.run(lambda c: c.fetch(query))
                pd.DataFrame(rows, columns=["time", "sensor_key", "value"])
                plain.append(time.thread_time() - begun)
        return min(ours), min(plain)

    ours, plain = asyncio.run(work())
    assert ours < plain / 3  # on an idle machine a tenth
