"""The database as a source: the same telemetry as the files that it was ingested from."""

import asyncio
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from databases import connected, none_left, sql
from stored_source import START, ingest, same

from hydrascope.schemas import SpecError
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.timescale.source import TimescaleSource


def test_the_database_answers_as_the_files_do(ingested: str, folder: Path, tmp_path: Path) -> None:
    files = ParquetSource(folder, quality_accepted=["good"])
    stored = TimescaleSource(ingested, scans=tmp_path)
    assert list(stored.machines()) == ["lift", "press"]
    assert same(files, stored)
    assert len(files.extents("press")) == 2  # a gap of 20 s, and samples that are bad in both
    for name in stored.machines():
        assert files.machine_fingerprint(name) == stored.machine_fingerprint(name)


def test_a_wide_table_of_somebody_else_answers_as_the_files_do(
    empty_dsn: str, folder: Path, tmp_path: Path
) -> None:
    hostile = 's0"; DROP TABLE $1 %I'
    rows = pd.read_csv(folder / "lift.csv")
    rows["timestamp"] = pd.to_datetime(rows["timestamp"], format="ISO8601")
    quoted = hostile.replace('"', '""')
    sql(
        empty_dsn,
        f'CREATE TABLE "Sensor Data" (at timestamp, machine text, "{quoted}" real, s1 numeric, '
        "s2 float8, remark text)",
        'CREATE VIEW readings AS SELECT * FROM "Sensor Data"',
        "SELECT 1",
    )

    async def fill() -> None:
        async with connected(empty_dsn) as connector:
            values = rows.astype(object).where(rows.notna(), None)
            records = [
                (at.to_pydatetime().replace(tzinfo=None), name, *rest, "x")
                for at, name, *rest in values.itertuples(index=False)
            ]
            await connector.database.run(
                lambda c: c.copy_records_to_table("Sensor Data", records=records)
            )

    asyncio.run(fill())
    table = {
        "name": '"Sensor Data"',
        "time": "at",
        "equipment": "machine",
        "columns": {"s0": hostile},
        "time_zone": "UTC",
    }
    files = str(folder / "machines" / "lift.yaml")
    labels = str(folder / "labels")
    only = tmp_path / "lift"
    (only / "labels").mkdir(parents=True)
    lift = pd.read_csv(folder / "labels" / "labels.csv").query("equipment_id == 'lift'")
    lift.to_csv(only / "labels" / "lift.csv", index=False)
    rows["s0"] = rows["s0"].astype(np.float32).astype(float)  # what a column of reals keeps
    rows.to_csv(only / "lift.csv", index=False)
    expected = ParquetSource(only, machines=files)
    labels = str(only / "labels")
    for name in ('"Sensor Data"', "public.readings"):
        stored = TimescaleSource(
            empty_dsn,
            table=table | {"name": name},
            machines=files,
            labels=labels,
            scans=tmp_path / "scans",
        )
        assert same(expected, stored)

    def refused(**change: object) -> str:
        with pytest.raises(SpecError) as error:
            print(TimescaleSource(empty_dsn, table=table | change, machines=files).fingerprint)
        return str(error.value)

    assert "no column 'tme'" in refused(time="tme")
    assert "time_zone" in refused(time_zone=None)
    assert "'nowhere' does not exist" in refused(name="nowhere")
    assert "columns.s0: remark is of type text" in refused(columns={"s0": "remark"})
    assert "of type text; expected timestamp" in refused(time="machine")
    assert "time_zone: 'Mars'" in refused(time_zone="Mars").replace("table.", "")


def test_what_is_written_by_anybody_is_noticed(
    ingested: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = []
    plain = TimescaleSource._slices
    monkeypatch.setattr(
        TimescaleSource, "_slices", lambda self, name: scans.append(name) or plain(self, name)
    )

    def prints() -> dict[str, str]:
        source = TimescaleSource(ingested, scans=tmp_path)
        return {name: source.machine_fingerprint(name) for name in source.machines()}

    first = prints()
    assert sorted(scans) == ["lift", "press"]
    assert prints() == first
    assert len(scans) == 2  # found in their files

    ingest(folder, ingested, "--accept", "good")
    assert prints() == first  # nothing new was written
    key = "SELECT min(sensor_key) FROM hydrascope.sensors JOIN hydrascope.equipment "
    key += "USING (equipment_key) WHERE equipment_id = 'press'"
    for statement in (
        f"UPDATE hydrascope.telemetry SET value = value + 1 WHERE sensor_key = ({key}) "
        "AND time < '2024-05-01 12:00:01+00'",
        f"DELETE FROM hydrascope.telemetry WHERE sensor_key = ({key}) AND time > "
        "'2024-05-01 12:04:50+00'",
        f"INSERT INTO hydrascope.telemetry VALUES ('2024-05-01 12:04:59.9+00', ({key}), 7)",
    ):
        before = prints()
        sql(ingested, statement, "SELECT pg_stat_force_next_flush()")
        after = prints()
        assert after["press"] != before["press"]
        assert after["lift"] == before["lift"] == first["lift"]


def test_since_and_until_hold_a_training_still(ingested: str, tmp_path: Path) -> None:
    limits = {"since": "2024-05-01T12:00:10Z", "until": "2024-05-01T12:01:00Z"}
    source = TimescaleSource(ingested, scans=tmp_path, **limits)
    (extent,) = source.extents("lift")
    assert extent.start >= START + pd.Timedelta(seconds=10)
    assert extent.end <= START + pd.Timedelta(seconds=60.1)
    before = source.fingerprint
    sql(
        ingested,
        "INSERT INTO hydrascope.telemetry SELECT '2024-06-01Z', sensor_key, 1 FROM "
        "hydrascope.sensors",
        "SELECT pg_stat_force_next_flush()",
    )
    assert TimescaleSource(ingested, scans=tmp_path, **limits).fingerprint == before


def test_a_source_is_pickled_and_forked_without_its_connections(
    ingested: str, tmp_path: Path
) -> None:
    source = TimescaleSource(ingested, scans=tmp_path)
    (extent,) = source.extents("lift")
    expected = source.read("lift", extent)["s1"].values
    twin = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(twin.read("lift", extent)["s1"].values, expected)
    child = os.fork()
    if child == 0:  # only exit codes come back from here
        found = source.read("lift", extent)["s1"].values
        os._exit(0 if np.array_equal(found, expected, equal_nan=True) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(source.read("lift", extent)["s1"].values, expected)
    del source, twin
    assert none_left(ingested)


def test_what_is_wrong_is_said_in_one_line_without_the_password(dsn: str, tmp_path: Path) -> None:
    for secret in (
        dsn.replace("postgres@", "postgres:hunter2@"),
        f"{dsn}?password=hunter2",
    ):
        with pytest.raises(SpecError, match="contains a password") as error:
            TimescaleSource(secret)
        assert "hunter2" not in str(error.value)
    with pytest.raises(SpecError, match="no machine yet"):
        TimescaleSource(dsn)
    with pytest.raises(SpecError, match=r"dsn: 'mysql://x' is not accepted"):
        TimescaleSource("mysql://x")
    with pytest.raises(SpecError, match=r"password_file: .*nowhere"):
        TimescaleSource(dsn, str(tmp_path / "nowhere"))
