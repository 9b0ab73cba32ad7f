"""TimescaleDB: what it makes of the tables, and the same numbers as plain PostgreSQL.

A TimescaleDB that `HYDRASCOPE_TEST_DSN` names is tested, or else our own.
"""

import asyncio
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from databases import NOON, SERVES_ONE, connected, fill, filled, migrate, seconds, settings, sql
from databases import telemetry as instants
from stored_source import same

from hydrascope.schemas import TimeWindow
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.timescale import migrations
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.ingest import ingest, replay
from hydrascope.telemetry.timescale.loop import wait
from hydrascope.telemetry.timescale.origins import from_folder
from hydrascope.telemetry.timescale.source import TimescaleSource

pytestmark = pytest.mark.xdist_group("timescaledb")

ONE = {"pool_min": 0, "pool_max": 1}
COMPRESS = "SELECT compress_chunk(chunk) FROM show_chunks('hydrascope.telemetry') AS chunk"
REFRESH = "CALL refresh_continuous_aggregate('hydrascope.telemetry_hourly', NULL, NULL)"
HOURLY = "SELECT * FROM hydrascope.telemetry_hourly ORDER BY hour, sensor_key"
CHUNKS = "SELECT range_start, is_compressed FROM timescaledb_information.chunks "
CHUNKS += "WHERE hypertable_name = 'telemetry' ORDER BY range_start"


def policies(dsn: str) -> dict[str, dict[str, Any]]:
    """Return id and settings of what TimescaleDB does with the telemetry, by procedure."""
    rows = sql(
        dsn,
        "SELECT proc_name, job_id, config FROM timescaledb_information.jobs WHERE proc_name IN "
        "('policy_compression', 'policy_retention', 'policy_refresh_continuous_aggregate')",
    )
    return {row["proc_name"]: {"id": row["job_id"], **json.loads(row["config"])} for row in rows}


def fetched(dsn: str, window: TimeWindow) -> pd.DataFrame:
    async def work() -> pd.DataFrame:
        async with connected(dsn) as connector:
            return await connector.fetch_sensor_data("press", window)

    return asyncio.run(work())


def write(dsn: str, frame: pd.DataFrame) -> int:
    async def work() -> int:
        async with connected(dsn) as connector:
            return await filled(connector, frame)

    return asyncio.run(work())


def ingest_folder(dsn: str, folder: Path) -> int:
    connector = TimescaleConnector(settings(dsn))
    delivery = from_folder(FolderSettings(folder=folder, quality_accepted=("good",)))
    try:
        return ingest(connector, delivery, lambda _: None)
    finally:
        wait(connector.database.close())


def test_telemetry_is_a_compressed_hypertable_with_an_hourly_aggregate(timescale_dsn: str) -> None:
    asked = {
        "hypertables WHERE hypertable_schema = 'hydrascope'": {
            "hypertable_name": "telemetry",
            "compression_enabled": True,
        },
        "dimensions WHERE hypertable_name = 'telemetry'": {
            "column_name": "time",
            "time_interval": timedelta(days=1),
        },
        "hypertable_compression_settings WHERE hypertable = 'hydrascope.telemetry'::regclass": {
            "segmentby": "sensor_key",
            "orderby": '"time"',
        },
        "continuous_aggregates": {
            "view_schema": "hydrascope",
            "view_name": "telemetry_hourly",
            "hypertable_name": "telemetry",
        },
    }
    for view, expected in asked.items():
        (row,) = sql(timescale_dsn, f"SELECT * FROM timescaledb_information.{view}")
        assert {name: row[name] for name in expected} == expected
    found = policies(timescale_dsn)
    assert found.keys() == {"policy_compression", "policy_refresh_continuous_aggregate"}
    assert found["policy_compression"]["compress_after"] == "7 days"


def test_the_latest_upgrade_says_what_is_compressed_and_deleted(timescale_dsn: str) -> None:
    migrate(timescale_dsn, compress_after_days=3, retain_days=30)
    found = policies(timescale_dsn)
    assert found["policy_compression"]["compress_after"] == "3 days"
    assert found["policy_retention"]["drop_after"] == "30 days"
    migrate(timescale_dsn, compress_after_days=None, retain_days=None)
    assert policies(timescale_dsn).keys() == {"policy_refresh_continuous_aggregate"}


def test_old_rows_are_compressed_and_those_older_than_retained_deleted(timescale_dsn: str) -> None:
    migrate(timescale_dsn, compress_after_days=7, retain_days=30)
    now = datetime.now(UTC)
    parts = {days: instants(500, start=now - timedelta(days=days)) for days in (40, 20, 1)}
    for part in parts.values():
        write(timescale_dsn, part)
    found = policies(timescale_dsn)
    for name in ("policy_compression", "policy_retention"):
        sql(timescale_dsn, f"CALL run_job({found[name]['id']})", "SELECT 1")
    chunks = sql(timescale_dsn, CHUNKS)
    assert {row["is_compressed"] for row in chunks if row["range_start"] < now - timedelta(9)} == {
        True
    }
    assert not chunks[-1]["is_compressed"]
    kept = pd.concat([parts[20], parts[1]]).sort_values(["sensor_id", "time"], ignore_index=True)
    everything = TimeWindow(start=now - timedelta(days=60), end=now + timedelta(days=1))
    pd.testing.assert_frame_equal(fetched(timescale_dsn, everything), kept)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_numbers_are_those_of_plain_postgresql(
    timescale_dsn: str, plain_dsn: str, compressed: bool
) -> None:
    whole = pd.concat([instants(2000), instants(2000, start=NOON + timedelta(hours=30))])
    whole["quality"] = np.random.default_rng(1).integers(0, 2, len(whole), dtype=np.int16)
    first = whole.iloc[::2]
    corrected = whole.assign(value=whole["value"].where(whole["value"] < 120, 7.0))
    window = seconds(0, 48 * 3600)
    changed, read, hourly = {}, {}, {}
    for dsn in (timescale_dsn, plain_dsn):
        changed[dsn] = [write(dsn, first)]
        if compressed and dsn == timescale_dsn:
            assert len(sql(dsn, COMPRESS)) == 2
        changed[dsn] += [write(dsn, corrected), write(dsn, corrected)]
        read[dsn] = fetched(dsn, window)
        if dsn == timescale_dsn:
            assert sql(dsn, HOURLY.replace("*", "hour")) == []
            sql(dsn, REFRESH, "SELECT 1")
        hourly[dsn] = pd.DataFrame([dict(row) for row in sql(dsn, HOURLY)])
    assert changed[timescale_dsn] == changed[plain_dsn]
    pd.testing.assert_frame_equal(read[timescale_dsn], read[plain_dsn])
    assert len(read[plain_dsn]) == len(whole)
    pd.testing.assert_frame_equal(hourly[timescale_dsn], hourly[plain_dsn], rtol=1e-12)
    good = corrected[corrected["quality"] == 0]
    assert hourly[timescale_dsn]["samples"].sum() == len(good)


def test_a_folder_is_ingested_once_and_read_as_its_files_are(
    timescale_dsn: str, folder: Path, tmp_path: Path
) -> None:
    assert ingest_folder(timescale_dsn, folder) > 10_000
    assert ingest_folder(timescale_dsn, folder) == 0
    files = ParquetSource(folder, quality_accepted=["good"])
    sql(timescale_dsn, COMPRESS)
    assert same(files, TimescaleSource(timescale_dsn, scans=tmp_path, **ONE))


def test_live_telemetry_is_written_as_it_comes(timescale_dsn: str, folder: Path) -> None:
    source = ParquetSource(folder, quality_accepted=["good"])
    connector = TimescaleConnector(settings(timescale_dsn))
    before = time.time()
    try:
        rows = replay(connector, source, every_s=0.1, for_s=1.0, progress=lambda _: None)
    finally:
        wait(connector.database.close())
    written = sql(
        timescale_dsn,
        "SELECT equipment_id, sensor_id, time, value FROM hydrascope.telemetry "
        "JOIN hydrascope.sensors USING (sensor_key) "
        "JOIN hydrascope.equipment USING (equipment_key) ORDER BY 1, 2, 3",
    )
    assert len(written) == rows
    assert all(before <= row["time"].timestamp() <= time.time() for row in written)
    for name in source.machines():
        start = source.extents(name)[0].start
        window = TimeWindow(start=start, end=start + timedelta(seconds=1))
        for sensor, signal in source.read(name, window).items():
            found = [row["value"] for row in written if tuple(row)[:2] == (name, sensor)]
            assert found == signal.values[np.isfinite(signal.values)].tolist()


def test_batches_that_are_deleted_from_compressed_rows_are_noticed(timescale_dsn: str) -> None:
    fill(timescale_dsn, instants(2000))
    if timescale_dsn in SERVES_ONE:
        pytest.skip("this TimescaleDB counts no writes; HYDRASCOPE_TEST_DSN may name one that does")
    sql(timescale_dsn, COMPRESS)
    ((key,),) = sql(timescale_dsn, "SELECT min(sensor_key) FROM hydrascope.sensors")

    def state() -> str | None:
        async def work() -> str | None:
            async with connected(timescale_dsn) as connector:
                return await connector.database.run(
                    lambda connection: connector.table.state(connection, "press")
                )

        return asyncio.run(work())

    before = state()
    assert before == state()
    sql(
        timescale_dsn,
        f"DELETE FROM hydrascope.telemetry WHERE sensor_key = {key}",
        "SELECT pg_stat_force_next_flush()",
    )
    assert state() != before


def test_a_plain_table_becomes_a_hypertable_once_the_extension_is_there(
    empty_timescale_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resources.as_file(resources.files("hydrascope.telemetry.timescale") / "sql") as files:
        shutil.copytree(files, tmp_path / "sql")
    script = tmp_path / "sql" / "timescale.sql"
    script.write_text(script.read_text("utf-8").replace("'timescaledb'", "'not_there'"), "utf-8")
    rows = instants(500)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_FOLDER", tmp_path / "sql")
        migrate(empty_timescale_dsn)
    kind = "SELECT relkind FROM pg_class WHERE oid = 'hydrascope.telemetry_hourly'::regclass"
    view = sql(empty_timescale_dsn, kind)
    fill(empty_timescale_dsn, rows)
    before = fetched(empty_timescale_dsn, seconds(0, 60))
    migrate(empty_timescale_dsn)
    assert len(sql(empty_timescale_dsn, CHUNKS)) == 1
    pd.testing.assert_frame_equal(fetched(empty_timescale_dsn, seconds(0, 60)), before)
    pd.testing.assert_frame_equal(before, rows)
    assert view == sql(empty_timescale_dsn, kind)
    found = sql(empty_timescale_dsn, REFRESH, HOURLY.replace("*", "sum(samples)").split("ORDER")[0])
    assert found == [(1500,)]
