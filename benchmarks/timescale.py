"""Reading and writing rows of a local PostgreSQL server, beside other ways to do it.

5 million rows, 50 sensors by 100,000 instants. All read the same rows by the same selection, in
turns, and the best round of each counts: other work on the machine can only slow a round down.
Memory is measured in processes of their own. `--write` puts the table into docs/results.md.
"""

import asyncio
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.support.postgres import Server, postgres

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet import ring_machine
from benchmarks._rows import Row, at_least, at_most
from hydrascope.schemas import TimeWindow
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.settings import database_settings

SENSORS, INSTANTS, ITERATED_INSTANTS = 50, 100_000, 1_000_000
READ_ROUNDS, WRITE_ROUNDS = 4, 2
START = datetime(2026, 1, 1, tzinfo=UTC)
_SELECT = """
SELECT time, sensor_key, value FROM hydrascope.telemetry
WHERE sensor_key = ANY ('{{{keys}}}'::integer[])
AND time >= '{start}'::timestamptz AND time < '{end}'::timestamptz
"""
_FILL = """
INSERT INTO hydrascope.telemetry (time, sensor_key, value)
SELECT timestamptz '2026-01-01Z' + instant * interval '1 s', sensor_key, sin(instant) + sensor_key
FROM generate_series({begin}, {end} - 1) AS instant CROSS JOIN hydrascope.sensors
"""
_KEY = "telemetry_pkey"
_MEMORY = """
import asyncio, sys
from benchmarks.timescale import {function}
print(*asyncio.run({function}(sys.argv[1], int(sys.argv[2]))))
"""


def run(
    instants: int = INSTANTS, iterated_instants: int = ITERATED_INSTANTS, peers: bool = True
) -> list[Row]:
    """Measure with so many instants of 50 sensors; iterate over so many.

    `peers`: also ADBC and ConnectorX, which come with the extra `bench`.
    """
    with postgres(shared_buffers="512MB") as server:
        dsn = server.dsn()
        asyncio.run(_prepare(dsn, instants))
        rows = _reading(dsn, instants, peers)
        (peak, result) = _in_process("fetch_growth", dsn, instants)
        rows.append(at_most("peak memory of a fetch / its result", peak / result, "×", 2.5))
        rows += _writing(server, instants)
        asyncio.run(_extend(dsn, instants, iterated_instants))
        count, peak_mb, taken_s = _in_process("iterate", dsn, iterated_instants)
        label = f"iterating over {count / 1e6:,.0f} million rows"
        rows.append(at_most(f"{label}: memory of the process", peak_mb, "MB", 300))
        rows.append(at_least(f"{label}: speed", count / taken_s / 1e6, "M rows/s"))
    return rows


def write() -> Path:
    """Measure and write the section into docs/results.md."""
    lines = ["| measured | value | goal |", "|---|---|---|"]
    for row in run():
        sign = "≥" if row["better"] == "higher" else "≤"
        goal = "" if row["goal"] is None else f"{sign} {row['goal']:g}"
        missed = "" if row["ok"] else " (missed)"
        lines.append(f"| {row['name']} | {row['value']:.2f} {row['unit']} | {goal}{missed} |")
    note = (
        f"PostgreSQL 18 on the same machine, {SENSORS} sensors × {INSTANTS:,} instants; "
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}; "
        "`python -m benchmarks timescale --write`."
    )
    path = ROOT / "docs" / "results.md"
    replace_section(path, "timescale", "\n".join([note, "", *lines]))
    return path


def _window(instants: int) -> TimeWindow:
    return TimeWindow(start=START, end=START + timedelta(seconds=instants))


async def _prepare(dsn: str, instants: int) -> None:
    async with TimescaleConnector(database_settings(dsn=dsn, timeout_s=900)) as connector:
        await upgrade(connector.database)
        await connector.equipment.save(ring_machine("m", 10, SENSORS, 1.0))
        await connector.database.run(lambda c: c.execute(_FILL.format(begin=0, end=instants)))
        await connector.database.run(lambda c: c.execute("VACUUM ANALYZE hydrascope.telemetry"))


async def _extend(dsn: str, begin: int, end: int) -> None:
    """Fill in without the index and make it afterwards, which is faster."""

    async def work(connection: Any) -> None:
        table = "ALTER TABLE hydrascope.telemetry"
        await connection.execute(f"{table} DROP CONSTRAINT {_KEY}")
        await connection.execute(_FILL.format(begin=begin, end=end))
        await connection.execute("SET maintenance_work_mem = '1GB'")
        await connection.execute(f"{table} ADD CONSTRAINT {_KEY} PRIMARY KEY (sensor_key, time)")
        await connection.execute("VACUUM ANALYZE hydrascope.telemetry")

    async with TimescaleConnector(database_settings(dsn=dsn, timeout_s=1800)) as connector:
        await connector.database.run(work)


def _reading(dsn: str, instants: int, peers: bool) -> list[Row]:
    """Read all rows to columns in four ways."""
    window, rows = _window(instants), SENSORS * instants
    with asyncio.Runner() as runner:
        connector = TimescaleConnector(database_settings(dsn=dsn, timeout_s=300))
        keys = runner.run(connector.sensor_keys("m"))
        listed = ",".join(map(str, keys.values()))
        query = _SELECT.format(keys=listed, start=window.start, end=window.end)

        async def fetch(connection: Any) -> pd.DataFrame:
            found = await connection.fetch(query)
            return pd.DataFrame(found, columns=["time", "sensor_key", "value"])

        def arrow() -> int:
            import adbc_driver_postgresql.dbapi as adbc

            with adbc.connect(dsn) as connection, connection.cursor() as cursor:
                cursor.execute(query)
                return int(cursor.fetch_arrow_table().num_rows)

        def frame() -> int:
            import connectorx

            return len(connectorx.read_sql(dsn, query))

        ways: dict[str, Callable[[], int]] = {
            "ours": lambda: len(runner.run(connector.fetch_sensor_data("m", window))),
            **({"ADBC": arrow, "ConnectorX": frame} if peers else {}),
            "asyncpg fetch + DataFrame": lambda: len(runner.run(connector.database.run(fetch))),
        }
        best = dict.fromkeys(ways, np.inf)
        for _ in range(READ_ROUNDS):
            for name, way in ways.items():
                begun = time.perf_counter()
                if way() != rows:
                    raise RuntimeError(f"{name} did not read {rows} rows")
                best[name] = min(best[name], time.perf_counter() - begun)
        runner.run(connector.database.close())
    speed = [at_least(f"{name}: read", rows / s / 1e6, "M rows/s") for name, s in best.items()]
    goals = {"asyncpg fetch + DataFrame": 6.0, "ADBC": 0.95, "ConnectorX": 1.5}
    return speed + [
        at_least(f"ours / {name}", best[name] / best["ours"], "×", goal)
        for name, goal in goals.items()
        if name in best
    ]


def _writing(server: Server, instants: int) -> list[Row]:
    """Write all rows anew by ingestion and by psql's copy, into the same empty table."""
    rows = SENSORS * instants
    with tempfile.TemporaryDirectory(prefix="hydrascope-copy-") as name:
        folder = Path(name) / "parquet"
        _write_folder(folder, instants)
        psql = [server.program("psql"), "-q", "-v", "ON_ERROR_STOP=1", server.dsn()]
        text = Path(name) / "rows.csv"
        names = "time, sensor_key, value, quality"
        _psql(psql, f"\\copy hydrascope.telemetry ({names}) to '{text}' csv")
        empty = "TRUNCATE hydrascope.telemetry, hydrascope.ingests; CHECKPOINT"
        copied = ingested = np.inf
        for _ in range(WRITE_ROUNDS):
            _psql(psql, empty)
            begun = time.perf_counter()
            _psql(psql, f"\\copy hydrascope.telemetry ({names}) from '{text}' csv")
            copied = min(copied, time.perf_counter() - begun)
            _psql(psql, empty)
            begun = time.perf_counter()
            _ingest(server.dsn(), folder, rows)
            ingested = min(ingested, time.perf_counter() - begun)
        _psql(psql, "VACUUM ANALYZE hydrascope.telemetry")
    return [
        at_least("psql \\copy: write", rows / copied / 1e6, "M rows/s"),
        at_least("ingest from Parquet: write", rows / ingested / 1e6, "M rows/s"),
        at_least("ingest from Parquet / psql \\copy", copied / ingested, "×", 0.5),
    ]


def _write_folder(folder: Path, instants: int) -> None:
    (folder / "machines").mkdir(parents=True)
    text = ring_machine("m", 10, SENSORS, 1.0).model_dump_json(exclude_defaults=True)
    (folder / "machines" / "m.yaml").write_text(text, "utf-8")
    second = np.arange(instants)
    names = [f"s{number}" for number in range(SENSORS)]
    for begin in range(0, instants, 10_000):
        part = second[begin : begin + 10_000]
        value = np.sin(part)[:, None] + np.arange(1, SENSORS + 1)
        frame = pd.DataFrame(
            {
                "timestamp": np.repeat(pd.Timestamp(START) + pd.to_timedelta(part, "s"), SENSORS),
                "equipment_id": "m",
                "sensor_id": np.tile(names, len(part)),
                "value": value.ravel(),
            }
        )
        frame.to_parquet(folder / f"{begin:09d}.parquet", index=False)


def _ingest(dsn: str, folder: Path, rows: int) -> None:
    from hydrascope.telemetry.folder.settings import FolderSettings
    from hydrascope.telemetry.timescale.ingest import ingest
    from hydrascope.telemetry.timescale.loop import wait
    from hydrascope.telemetry.timescale.origins import from_folder

    connector = TimescaleConnector(database_settings(dsn=dsn, timeout_s=300))
    written = ingest(connector, from_folder(FolderSettings(folder=folder)), lambda _: None)
    wait(connector.database.close())
    if written != rows:
        raise RuntimeError(f"{written} rows were ingested, not {rows}")


def _psql(psql: Sequence[str | Path], command: str) -> None:
    subprocess.run([*psql, "-c", command], check=True)


def _in_process(function: str, dsn: str, instants: int) -> list[float]:
    """Run one of the functions below in a process of its own."""
    program = _MEMORY.format(function=function)
    command = [sys.executable, "-c", program, dsn, str(instants)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [float(word) for word in done.stdout.split()]


async def fetch_growth(dsn: str, instants: int) -> tuple[float, float]:
    """Return by how many bytes a process grew at most during a fetch, and those of the result."""
    async with TimescaleConnector(database_settings(dsn=dsn, timeout_s=300)) as connector:
        await connector.fetch_sensor_data("m", _window(100))
        before = _status_bytes("VmRSS")
        frame = await connector.fetch_sensor_data("m", _window(instants))
        return _status_bytes("VmHWM") - before, float(frame.memory_usage(deep=True).sum())


async def iterate(dsn: str, instants: int) -> tuple[int, float, float]:
    """Return the rows that were iterated over, the process's peak in MB and the seconds."""
    count, begun = 0, time.perf_counter()
    async with TimescaleConnector(database_settings(dsn=dsn, timeout_s=300)) as connector:
        async for frame in connector.iter_sensor_data("m", _window(instants)):
            count += len(frame)
    if count != SENSORS * instants:
        raise RuntimeError(f"{count} rows, not {SENSORS * instants}")
    return count, _status_bytes("VmHWM") / 1e6, time.perf_counter() - begun


def _status_bytes(field: str) -> float:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(field):
            return float(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")
