"""Diagnoses over time in a real database: written once, and read as overview, list and series."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.postgres import Server
from tests.support.watch_workers import new_database, rows
from tests.support.watched_rigs import rig, save_machines

from hydrascope.monitoring.observation import DiagnosedWindow, Observation
from hydrascope.monitoring.overview import Overview, read_overview
from hydrascope.monitoring.predictions import PredictionRepository, write_predictions
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.timescale import migrations
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import equipment_key
from hydrascope.telemetry.timescale.settings import database_settings

T = TypeVar("T")
DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 60


def window(hour: int, health: float, reliable: bool = True, bundle: str = "abc") -> DiagnosedWindow:
    start = DAY + timedelta(hours=hour, minutes=10)
    known = Observation("", "", "", "health", health, None, reliable, "")
    wear = Observation("pump", "wear", "severe", "probability", 1 - health, True, reliable, "")
    content = json.dumps({"hour": hour, "of": bundle})
    end = start + timedelta(minutes=1)
    return DiagnosedWindow(
        start, end, content, health if reliable else None, not reliable, [known, wear]
    )


def run(dsn: str, work: Callable[[Database], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with Database(database_settings(dsn=dsn)) as database:
            return await work(database)

    return asyncio.run(inside())


def write(dsn: str, machine: str, *windows: DiagnosedWindow, bundle: str = "abc") -> int:
    async def work(connection: Connection) -> int:
        key = await equipment_key(connection, machine)
        return await write_predictions(connection, key, windows, bundle, "watch")

    return run(dsn, lambda database: database.transaction(work))


@pytest.fixture
def three(dsn: str) -> str:
    """Three machines: one falls ill, one is sound, of one nothing is known."""
    save_machines(dsn, [rig(name) for name in ("sound", "ill", "unknown")])
    write(dsn, "ill", *(window(hour, 1 - hour / HOURS) for hour in range(HOURS)))
    write(dsn, "sound", *(window(hour, 0.9) for hour in range(HOURS)))
    write(dsn, "sound", window(HOURS, 0.2, reliable=False))
    return dsn


def test_a_window_is_written_and_counted_once_and_replaces_what_the_service_kept(
    three: str,
) -> None:
    kept = "SELECT count(*), sum(windows) FROM hydrascope.predictions, hydrascope.series_hourly"
    before = rows(three, kept)
    assert write(three, "ill", window(0, 0.1), window(1, 0.1)) == 0
    assert rows(three, kept) == before
    rows(three, "UPDATE hydrascope.predictions SET asked_by = 'service' WHERE health = 1")
    rows(three, "DELETE FROM hydrascope.series_hourly WHERE lowest = 1 OR highest = 0")
    assert write(three, "ill", window(0, 1.0)) == 1
    assert rows(three, kept) == before


def test_the_overview_has_the_worst_first_and_finds_by_any_part_of_id_and_name(
    three: str,
) -> None:
    def overview(search: str = "", limit: int = 9, offset: int = 0) -> Overview:
        return run(three, lambda database: read_overview(database, search, limit, offset))

    found = overview()
    assert (found.total, [each.equipment_id for each in found.machines]) == (
        3,
        ["ill", "sound", "unknown"],
    )
    ill, sound, unknown = found.machines
    assert ill.health == pytest.approx(1 / HOURS)
    assert (ill.name, ill.topology, ill.cannot_tell) == ("Rig ill", "zema_rig", False)
    assert ill.last_seen == DAY + timedelta(hours=HOURS - 1, minutes=11)
    lowest = [1 - 23 / HOURS, 1 - 47 / HOURS, 1 - 59 / HOURS]
    assert [value for _, value in ill.trend] == pytest.approx(lowest)
    assert [day for day, _ in ill.trend] == [DAY + timedelta(days=each) for each in range(3)]
    assert (sound.health, sound.cannot_tell) == (None, True)
    assert (unknown.last_seen, unknown.trend, unknown.cannot_tell) == (None, [], False)

    rows(
        three,
        "INSERT INTO hydrascope.alarms (equipment_key, rule, head, finding, severity, state, since,"
        " raised_at, last_at, windows, peak, model) SELECT equipment_key, 'r', 'wear', finding, "
        "severity, state, now(), now(), now(), 1, 1, 'abc' FROM hydrascope.equipment, (VALUES "
        "('slight', 'info', 'open'), ('severe', 'critical', 'acknowledged'), "
        "('old', 'critical', 'closed')) AS each (finding, severity, state) "
        "WHERE equipment_id = 'sound'",
    )
    first = overview(limit=1)
    assert first.total == 3
    assert (first.machines[0].equipment_id, first.machines[0].open_alarms) == ("sound", 2)
    assert (first.machines[0].worst, first.machines[0].finding) == ("critical", "severe")
    assert [each.equipment_id for each in overview("RIG UN").machines] == ["unknown"]
    assert [each.equipment_id for each in overview(offset=2).machines] == ["unknown"]
    assert overview(offset=7) == Overview(3, [])
    assert overview("100%") == Overview(0, [])


def test_diagnoses_come_page_by_page_the_newest_first_one_of_each_window(three: str) -> None:
    write(three, "ill", window(5, 0.3, bundle="def"), bundle="def")
    start, end = DAY, DAY + timedelta(hours=10)

    async def all_pages(database: Database) -> list[tuple[int, str]]:
        repository, place = PredictionRepository(database), None
        found: list[tuple[int, str]] = []
        while True:
            page = await repository.diagnoses("ill", start, end, 4, place)
            contents = [json.loads(each.content) for each in page.diagnoses]
            found += [(each["hour"], each["of"]) for each in contents]
            place = page.next
            if place is None:
                return found

    listed = [(hour, "abc") for hour in range(9, -1, -1)]
    assert run(three, all_pages) == listed
    write(three, "ill", window(HOURS, 0.3), bundle="def")  # the newest window is now this bundle's
    assert run(three, all_pages) == [(5, "def") if each[0] == 5 else each for each in listed]
    with pytest.raises(SpecError, match="no machine 'nobody'"):
        run(three, lambda database: PredictionRepository(database).diagnoses("nobody", DAY, end, 1))


def test_series_are_means_and_extremes_of_reliable_numbers_as_fine_as_points_allow(
    three: str,
) -> None:
    end = DAY + timedelta(days=3)

    def resolution(points: int) -> str:
        return run(three, lambda db: PredictionRepository(db).resolution("ill", DAY, end, points))

    assert [resolution(points) for points in (60, 59, 10)] == ["window", "day", "day"]
    often = (window(70, 0.5)._replace(end=end - timedelta(seconds=each)) for each in range(20))
    write(three, "ill", *often)
    assert [resolution(points) for points in (80, 72, 71)] == ["window", "hour", "day"]

    async def series(database: Database) -> list[object]:
        repository = PredictionRepository(database)
        return [await repository.series("sound", DAY, end, each) for each in ("hour", "day")]

    hourly, daily = run(three, series)
    assert [each[:5] for each in hourly] == [
        ("", "", "", "health", ""),
        ("pump", "wear", "severe", "probability", ""),
    ]
    assert len(hourly[0].points) == HOURS
    point = daily[1].points[2]
    assert (point.start, point.windows) == (DAY + timedelta(days=2), HOURS - 48)
    assert point[2:] == pytest.approx((0.1, 0.1, 0.1))


def test_numbers_of_another_bundle_are_kept_apart_and_fill_only_what_the_watch_left(
    three: str,
) -> None:
    rows(
        three,
        "INSERT INTO hydrascope.watches (equipment_key, upto, covered, begun, bundle) "
        "SELECT equipment_key, now(), now(), true, 'abc' FROM hydrascope.equipment",
    )
    before = run(three, read_overview)
    write(three, "sound", *(window(hour, 0.5) for hour in range(HOURS + 2)), bundle="def")
    after = run(three, read_overview)
    (own,), (found,) = (
        [m for m in each.machines if m.equipment_id == "sound"] for each in (before, after)
    )
    assert found._replace(trend=()) == own._replace(trend=())
    assert [lowest for _, lowest in found.trend] == pytest.approx([0.9, 0.9, 0.9])

    async def hourly(database: Database) -> list[float]:
        end = DAY + timedelta(days=3)
        lines = await PredictionRepository(database).series("sound", DAY, end, "hour")
        return [point.mean for point in lines[0].points]

    # The watch's answer of the last but one hour was not reliable, and it has not come to the last.
    assert run(three, hourly) == pytest.approx([0.9] * HOURS + [0.5, 0.5])
    counted = "SELECT bundle, sum(windows) FROM hydrascope.series JOIN hydrascope.series_daily "
    counted += "USING (series_key) JOIN hydrascope.equipment USING (equipment_key) "
    counted += "WHERE equipment_id = 'sound' AND measure = 'health' GROUP BY bundle ORDER BY bundle"
    assert [tuple(row) for row in rows(three, counted)] == [("abc", HOURS), ("def", HOURS + 2)]


def test_an_upgrade_names_the_bundle_of_what_watches_have_written(
    watch_server: Server, tmp_path: Path
) -> None:
    old = tmp_path / "sql"
    shutil.copytree(Path(migrations.__file__).parent / "sql", old)
    for later in old.glob("000[4-9]_*.sql"):
        later.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "_FOLDER", old)
        dsn = new_database(watch_server.dsn(), "before_bundles")
    save_machines(dsn, [rig("watched"), rig("idle")])
    rows(
        dsn,
        "INSERT INTO hydrascope.watches (equipment_key, upto, covered, begun) "
        "SELECT equipment_key, now(), now(), true FROM hydrascope.equipment",
    )
    for minute, bundle in enumerate(("first", "second")):
        end = DAY + timedelta(minutes=minute)
        rows(
            dsn,
            "INSERT INTO hydrascope.predictions (equipment_key, window_start, window_end, bundle, "
            "content, asked_by) SELECT equipment_key, $1::timestamptz - interval '1 min', $1, $2, "
            "'{}', 'watch' FROM hydrascope.equipment WHERE equipment_id = 'watched'",
            end,
            bundle,
        )
    rows(
        dsn,
        "INSERT INTO hydrascope.series (equipment_key, measure) "
        "SELECT equipment_key, 'health' FROM hydrascope.equipment",
    )
    assert run(dsn, migrations.upgrade)[0] == "0004_bundles.sql"
    found = rows(
        dsn,
        "SELECT equipment_id, watches.bundle, series.bundle FROM hydrascope.equipment "
        "JOIN hydrascope.watches USING (equipment_key) "
        "JOIN hydrascope.series USING (equipment_key)",
    )
    assert {tuple(row) for row in found} == {("watched", "second", "second"), ("idle", None, "")}
