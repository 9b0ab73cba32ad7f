"""Measure a watch: `chaos` (kills and stops), `capacity` of workers, `queries` over a year.

The machines are of the rig's build, recorded at 1 Hz (17 sensors, windows of 60 s), the network is
the rig's default one. Database, workers and whoever writes telemetry share the machine. Takes some
20 minutes, a short training included. `--write` puts the tables into docs/results.md, and
`python -m benchmarks.watch chaos` the table of one stage.
"""

import argparse
import asyncio
import json
import math
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from tests.support.postgres import Server, postgres
from tests.support.watch_chaos import Disturbances, disturbed, undisturbed
from tests.support.watch_workers import alarms, kept, new_database, rows, sums, wait_for, workers
from tests.support.watched_rigs import WatchedRigs, save_machines
from tests.support.watched_rigs import write as write_telemetry

from benchmarks._document import how_measured, write_rows
from benchmarks._rows import Row, at_least, at_most
from benchmarks.serving import make_bundle
from hydrascope.monitoring.overview import read_overview
from hydrascope.monitoring.predictions import PredictionRepository
from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.settings import database_settings

STAGES = ("chaos", "capacity", "queries")
MACHINES, WINDOWS = 20, 100
KILLS, STOPS = 10, 2
CHAOS_S = 120.0
FLEET, DAYS, WINDOWS_A_DAY = 1000, 365, 4
_REPEATS = 9
_NUMBERS = 20
"""Series of each machine in the fleet of the queries."""
_LATEST = datetime(2026, 3, 1, tzinfo=UTC)

_WRITTEN = """
SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables
WHERE schemaname = 'hydrascope' AND relname IN
    ('predictions', 'series', 'series_hourly', 'series_daily', 'watches')
"""
_QUEUED = """
SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables
WHERE schemaname = 'hydrascope_queue'
"""


def run(
    stages: Sequence[str] = STAGES,
    windows: int = WINDOWS,
    days: int = DAYS,
    chaos_s: float = CHAOS_S,
) -> list[Row]:
    """Measure with so many windows of each machine, and so many days of the fleet."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="hydrascope-watch-") as name, postgres() as server:
        folder = Path(name)
        if {"chaos", "capacity"} & set(stages):
            _, bundle = make_bundle(folder)
        if "chaos" in stages:
            found += chaos(server, bundle, folder, windows, chaos_s)
        if "capacity" in stages:
            found += capacity(server, bundle, folder, windows)
        if "queries" in stages:
            found += queries(server, days)
    return found


def chaos(server: Server, bundle: Path, folder: Path, windows: int, seconds: float) -> list[Row]:
    """Diagnose with and without disturbances, and compare."""
    rigs = WatchedRigs(MACHINES, windows, gap_after=windows // 2)
    what = Disturbances(KILLS, STOPS, late_share=0.2, seconds=seconds)
    calm = undisturbed(server, rigs, bundle, folder, "calm")
    began = time.monotonic()
    wild, codes = disturbed(server, rigs, bundle, folder, "wild", what)
    taken_s = time.monotonic() - began
    expected, diagnosed = kept(calm), kept(wild)
    differences = [
        difference(json.loads(diagnosed[window].content), json.loads(one.content))
        for window, one in expected.items()
        if window in diagnosed
    ]
    counted, wanted = sums(wild), sums(calm)
    wrong = sum(counted.get(key, (0,))[0] != one[0] for key, one in wanted.items())
    raised, due = ({repr(each) for each in alarms(dsn)} for dsn in (wild, calm))
    label = f"chaos: {MACHINES} machines × {windows} windows, 2 workers"
    return [
        at_most(f"{label}: windows missing", len(rigs.expected - diagnosed.keys()), "", 0),
        at_most(f"{label}: windows that are none", len(diagnosed.keys() - rigs.expected), "", 0),
        at_most(f"{label}: hourly counts that differ", wrong, "", 0),
        at_least(f"{label}: alarms of the undisturbed run", len(due), "", 1),
        at_most(f"{label}: alarms that differ", len(raised ^ due), "", 0),
        at_most(f"{label}: greatest difference of a number", max(differences), "", 1e-4),
        at_most(f"{label}: workers that did not end in order", sum(c != 0 for c in codes), "", 0),
        at_most(f"{label}: time from the first sample on", taken_s, "s"),
    ]


def difference(found: Any, expected: Any) -> float:
    """Return the greatest difference of two JSON values' numbers; infinite for anything else."""
    if isinstance(expected, dict) and isinstance(found, dict) and found.keys() == expected.keys():
        return max((difference(found[key], expected[key]) for key in expected), default=0.0)
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return max(map(difference, found, expected), default=0.0)
    if isinstance(expected, float) and isinstance(found, float):
        return abs(found - expected)
    return 0.0 if found == expected else math.inf


def capacity(server: Server, bundle: Path, folder: Path, windows: int) -> list[Row]:
    """Diagnose a backlog with 1, 2 and 4 workers, in batches and window by window."""
    found = []
    rigs = WatchedRigs(MACHINES, windows)
    for batch, count in ((1, 1), (1, 2), (1, 4), (32, 1), (32, 2), (32, 4)):
        measured = _caught_up(server, rigs, bundle, folder, batch, count)
        wall_s, worker_s, database_s, written, queued = measured
        total = len(rigs.expected)
        visit = f"{batch} window{'s' if batch > 1 else ''} a visit"
        label = f"{count} worker{'s' if count > 1 else ''}, {visit}"
        found.append(at_least(f"{label}: speed", total / wall_s, "windows/s"))
        if count == 1:
            found += [
                at_least(
                    f"{label}: machines at a window a minute that a core sustains",
                    60 * total / worker_s,
                    "",
                ),
                at_most(f"{label}: the worker's processor time", 1e3 * worker_s / total, "ms"),
                at_most(f"{label}: the database's", 1e3 * database_s / total, "ms"),
                at_most(f"{label}: rows written a window", written / total, ""),
                at_most(f"{label}: rows of the queue written a window", queued / total, ""),
            ]
    samples = sum(sensor.rate_hz for _, sensor in rigs.machines["rig_0"].topology.sensors) * 60
    found.append(at_most("rows of telemetry in a window", samples, ""))
    return found


def _caught_up(
    server: Server, rigs: WatchedRigs, bundle: Path, folder: Path, batch: int, count: int
) -> tuple[float, float, float, float, float]:
    """Return the time, processor times of workers and database, and rows written."""
    dsn = new_database(server.dsn(), f"backlog_{batch}_{count}")
    save_machines(dsn, list(rigs.machines.values()))
    for parts in rigs.rounds(0.0):
        write_telemetry(dsn, parts)
    rows(dsn, "ANALYZE hydrascope.telemetry")
    total = len(rigs.expected)
    arguments = [f"bundle={bundle}", f"database={dsn}", f"batch={batch}", "poll_s=1"]
    with workers(count, arguments, folder / f"backlog_{batch}_{count}.log") as running:
        wait_for(dsn, 1, 600)  # loading is not counted
        done = rows(dsn, "SELECT count(*) FROM hydrascope.predictions")[0][0]
        began, own_s, other_s = time.monotonic(), running.cpu_s(), _database_s(server)
        wait_for(dsn, total, 1200)
        share = total / (total - done)
        wall_s = (time.monotonic() - began) * share
        worker_s = (running.cpu_s() - own_s) * share
        database_s = (_database_s(server) - other_s) * share
        codes = running.stop()
    assert codes == [0] * count
    time.sleep(1.5)  # the server publishes its statistics every second
    written, queued = (rows(dsn, each)[0][0] for each in (_WRITTEN, _QUEUED))
    return wall_s, worker_s, database_s, float(written), float(queued)


def _database_s(server: Server) -> float:
    """Return the processor time of the server and its processes, of those that ended too."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if int(stat.parent.name) == server.pid:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == server.pid:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def queries(server: Server, days: int) -> list[Row]:
    """Read a fleet's overview and one machine's charts."""
    dsn = new_database(server.dsn(), "fleet")
    for statement in _fill(days):
        rows(dsn, statement)
    return asyncio.run(_measured(dsn, days))


async def _measured(dsn: str, days: int) -> list[Row]:
    found = []
    async with Database(database_settings(dsn=dsn, timeout_s=60)) as database:
        repository = PredictionRepository(database)
        start, machine = _LATEST - timedelta(days=days), f"machine_{FLEET // 2}"
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            "overview, the worst 100 machines": lambda: read_overview(database),
            f"overview, all {FLEET:,} machines": lambda: read_overview(database, limit=FLEET),
            f"a machine's {_NUMBERS} series, {days} days": lambda: repository.series(
                machine, start, _LATEST, "day"
            ),
            f"a machine's {_NUMBERS} series, 30 days by hour": lambda: repository.series(
                machine, _LATEST - timedelta(days=30), _LATEST, "hour"
            ),
            "the newest 50 diagnoses of a machine": lambda: repository.diagnoses(
                machine, start, _LATEST, 50
            ),
        }
        for label, ask in asked.items():
            taken_s = []
            for _ in range(_REPEATS):
                began = time.perf_counter()
                await ask()
                taken_s.append(time.perf_counter() - began)
            name = f"{FLEET:,} machines, {days} days × {WINDOWS_A_DAY} windows: {label}"
            found.append(at_most(name, 1e3 * median(taken_s), "ms", 100))
    return found


def _fill(days: int) -> list[str]:
    """Return statements that make a fleet with a year of diagnoses and their sums."""
    hours = 24 // WINDOWS_A_DAY
    first = f"timestamptz '{_LATEST - timedelta(days=days):%Y-%m-%d}Z'"
    topology = "INSERT INTO hydrascope.topologies VALUES ('build', 1, '{}')"
    machines = f"""
        INSERT INTO hydrascope.equipment (equipment_id, metadata, topology_id, topology_version)
        SELECT 'machine_' || number, json_build_object('name', 'Machine ' || number), 'build', 1
        FROM generate_series(0, {FLEET - 1}) AS number"""
    # A thousand bytes of content, as the rig's diagnoses have some thousand.
    predictions = f"""
        INSERT INTO hydrascope.predictions
            (equipment_key, window_start, window_end, bundle, content, health, asked_by)
        SELECT equipment_key, start, start + interval '1 min', 'abcdefabcdef',
               jsonb_build_object('text', repeat('x', 1000)), random(), 'watch'
        FROM hydrascope.equipment
        CROSS JOIN generate_series({first}, {first} + interval '{days} days' - interval '1 s',
                                   interval '{hours} hours') AS start"""
    series = f"""
        INSERT INTO hydrascope.series (equipment_key, bundle, component_id, head, label, measure)
        SELECT equipment_key, 'abcdefabcdef',
               CASE WHEN number = 0 THEN '' ELSE 'component_' || number END, '', '', 'health'
        FROM hydrascope.equipment CROSS JOIN generate_series(0, {_NUMBERS - 1}) AS number"""
    daily = f"""
        INSERT INTO hydrascope.series_daily
        SELECT series_key, day, {WINDOWS_A_DAY}, {WINDOWS_A_DAY} * random(), random(), random()
        FROM hydrascope.series
        CROSS JOIN generate_series({first}, {first} + interval '{days - 1} days',
                                   interval '1 day') AS day"""
    hourly = f"""
        INSERT INTO hydrascope.series_hourly
        SELECT series_key, hour, 1, random(), random(), random()
        FROM hydrascope.series
        CROSS JOIN generate_series({first} + interval '{days - 30} days',
            {first} + interval '{days} days' - interval '1 s', interval '{hours} hours') AS hour
        WHERE series_key % 10 = 0 OR equipment_key = {FLEET // 2 + 1}"""
    alarms = """
        INSERT INTO hydrascope.alarms
            (equipment_key, rule, head, severity, state, since, raised_at, last_at, windows, peak,
             model)
        SELECT equipment_key, 'wear', 'pump',
               (ARRAY['info', 'warning', 'critical'])[1 + number % 3],
               CASE WHEN number % 5 = 0 THEN 'open' ELSE 'closed' END, now(), now(), now(), 3, 0.9,
               'abcdefabcdef'
        FROM hydrascope.equipment CROSS JOIN generate_series(1, 40) AS number
        WHERE equipment_key % 4 = 0 AND (number % 5 <> 0 OR number = 5)"""
    return [topology, machines, predictions, series, daily, hourly, alarms, "ANALYZE"]


def write() -> Path:
    """Measure all stages and write their sections into docs/results.md."""
    return write_stages(STAGES)


def write_stages(stages: Sequence[str]) -> Path:
    """Measure some stages and write a section of docs/results.md for each."""
    note = "PostgreSQL 18 on the same machine; the rig's default network at 1 Hz."
    for stage in stages:
        path = write_rows(f"watch {stage}", run([stage]), f"{note} {how_measured('watch')}")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="+", choices=STAGES)
    print(f"wrote {write_stages(parser.parse_args().stages)}")
