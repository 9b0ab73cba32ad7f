"""Ingestion: every row once, on where it stopped, and live."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pydoc import locate

import numpy as np
import pandas as pd
import pytest
from databases import machine, sql
from jobs import ROOT, train_settings
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import TimeWindow, validate
from hydrascope.telemetry import ZemaSource
from hydrascope.telemetry.folder import time_order
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.ingest import ingest
from hydrascope.telemetry.timescale.loop import wait
from hydrascope.telemetry.timescale.origins import from_folder, from_source
from hydrascope.telemetry.timescale.settings import DatabaseSettings, database_settings
from hydrascope.telemetry.timescale.source import SourceSettings, TimescaleSource

ROWS = 40_000
CONTENT = "SELECT sensor_id, time, value FROM hydrascope.telemetry JOIN hydrascope.sensors "
CONTENT += "USING (sensor_key) ORDER BY sensor_id, time"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ingest") / "telemetry"
    (folder / "machines").mkdir(parents=True)
    text = machine(2).model_dump_json(exclude_defaults=True)
    (folder / "machines" / "press.yaml").write_text(text)  # JSON is YAML
    rows = pd.DataFrame(
        {
            "timestamp": np.repeat(
                pd.date_range("2024-05-01T00:00Z", periods=ROWS // 2, freq="100ms"), 2
            ),
            "equipment_id": "press",
            "sensor_id": np.tile(["s0", "s1"], ROWS // 2),
            "value": np.arange(ROWS, dtype=np.float32),
        }
    )
    rows.to_parquet(folder / "a.parquet", index=False, row_group_size=2000)
    return folder


def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_order, "SLICE_CELLS", 4000)
    monkeypatch.setattr(time_order, "LARGEST_SLICE_CELLS", 4000)


def test_an_ingestion_that_is_broken_off_goes_on_where_it_stopped(
    dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_slices(monkeypatch)
    delivery = from_folder(FolderSettings(folder=folder))
    connector = TimescaleConnector(database_settings(dsn=dsn))
    told: list[int] = []

    def interrupt(rows: int) -> None:
        told.append(rows)
        if len(told) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(connector, delivery, interrupt)
    (there,) = sql(dsn, "SELECT count(*) FROM hydrascope.telemetry")[0]
    assert 3 * 4000 <= there <= 4 * 4000
    told.clear()
    assert ingest(connector, delivery, told.append) == ROWS - there
    assert sum(told[:-1]) == ROWS - there  # and not one row was sent again
    assert sum(told) == ROWS
    assert ingest(connector, delivery, told.append) == 0
    wait(connector.database.close())
    content = sql(dsn, CONTENT)
    assert len(content) == ROWS
    assert [row["value"] for row in content] == [*range(0, ROWS, 2), *range(1, ROWS, 2)]


def test_a_killed_ingestion_is_started_again(dsn: str, folder: Path) -> None:
    program = (
        "from hydrascope.telemetry.folder import time_order as t; t.SLICE_CELLS = 2000; "
        "t.LARGEST_SLICE_CELLS = 2000; from hydrascope.__main__ import main; main()"
    )
    command = [sys.executable, "-c", program, "ingest", str(folder), "--dsn", dsn]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while sql(dsn, "SELECT count(*) FROM hydrascope.ingests")[0][0] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    killed_at = sql(dsn, "SELECT count(*) FROM hydrascope.telemetry")[0][0]
    assert killed_at > 0
    result = CliRunner().invoke(app, ["ingest", str(folder), "--dsn", dsn])
    assert result.exit_code == 0, result.output
    assert [row["value"] for row in sql(dsn, CONTENT)] == [*range(0, ROWS, 2), *range(1, ROWS, 2)]


def test_rows_that_come_later_are_added_and_corrections_replace(
    dsn: str, folder: Path, tmp_path: Path
) -> None:
    invoked = CliRunner().invoke(app, ["ingest", str(folder), "--dsn", dsn])
    assert f"{ROWS:,} new rows of press" in invoked.output
    more = pd.read_parquet(folder / "a.parquet").iloc[-4:]
    more["timestamp"] += pd.Timedelta(seconds=0.1)  # the first two instants are there already
    more["value"] += 0.5
    (tmp_path / "more").mkdir()
    more.to_csv(tmp_path / "more" / "b.csv", index=False)
    machines = ["--machines", str(folder / "machines")]
    for expected in ("4 new rows", "0 new rows"):
        invoked = CliRunner().invoke(
            app, ["ingest", str(tmp_path / "more"), "--dsn", dsn, *machines]
        )
        assert expected in invoked.output
    assert sql(dsn, "SELECT count(*) FROM hydrascope.telemetry")[0][0] == ROWS + 2


class FirstCycles(ZemaSource):
    """The first hour of the rig."""

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        (extent,) = super().extents(equipment_id)
        return [TimeWindow(start=extent.start, end=extent.start + timedelta(hours=1))]


def test_a_source_is_ingested_at_the_rates_of_its_signals(dsn: str, tmp_path: Path) -> None:
    rig = FirstCycles()
    connector = TimescaleConnector(database_settings(dsn=dsn))
    assert ingest(connector, from_source(rig), lambda _: None) == 17 * 3600
    wait(connector.database.close())
    stored = TimescaleSource(dsn, scans=tmp_path)
    (extent,) = rig.extents("zema")
    assert stored.extents("zema") == [extent]
    expected, found = rig.read("zema", extent), stored.read("zema", extent)
    for name, theirs in expected.items():
        assert found[name].rate_hz == theirs.rate_hz == 1
        np.testing.assert_array_equal(found[name].values, theirs.values)
    pd.testing.assert_frame_equal(stored.labels("zema"), rig.labels("zema"), check_dtype=False)


def test_live_telemetry_stands_at_the_present_time(dsn: str, folder: Path) -> None:
    before = time.time()
    options = ["--live", "--every", "0.1", "--for", "1.5"]
    invoked = CliRunner().invoke(app, ["ingest", str(folder), "--dsn", dsn, *options])
    assert "30 rows, live" in invoked.output
    rows = sql(dsn, CONTENT)
    times = np.array([row["time"].timestamp() for row in rows]).reshape(2, 15)
    assert before <= times[0, 0] <= time.time() - 1.5
    np.testing.assert_allclose(np.diff(times), 0.1, atol=1e-5)
    assert [row["value"] for row in rows] == [*range(0, 30, 2), *range(1, 30, 2)]


def test_a_fleet_is_written_live(dsn: str) -> None:
    options = ["--live", "--every", "0.2", "--for", "1"]
    invoked = CliRunner().invoke(app, ["ingest", "fleet", "--dsn", dsn, *options])
    assert invoked.exit_code == 0, invoked.output
    written = sql(
        dsn,
        "SELECT equipment_id, count(*), max(time) FROM hydrascope.telemetry "
        "JOIN hydrascope.sensors USING (sensor_key) "
        "JOIN hydrascope.equipment USING (equipment_key) GROUP BY equipment_id",
    )
    assert len(written) == 4
    for _, rows, last in written:
        assert rows > 0
        assert abs((datetime.now(UTC) - last).total_seconds()) < 60


def test_upgrading_twice_does_nothing_twice(empty_dsn: str) -> None:
    said = [CliRunner().invoke(app, ["db", "upgrade", "--dsn", empty_dsn]).output for _ in range(2)]
    assert "0001_schema.sql" in said[0]
    assert "0002_references.sql" in said[0]
    assert "nothing to do" in said[1]
    assert re.search(r"PostgreSQL \d+", said[0])
    sql(empty_dsn, "UPDATE hydrascope.migrations SET sha256 = 'x'", "SELECT 1")
    again = subprocess.run(
        [sys.executable, "-m", "hydrascope", "db", "upgrade"],
        env=os.environ | {"HYDRASCOPE_DSN": empty_dsn},
        capture_output=True,
        text=True,
    )
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "another version of migration" in again.stderr


def test_the_commands_of_the_page_for_operators_work(
    empty_dsn: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "timescale.md").read_text("utf-8").replace("\\\n", "")
    blocks = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in "".join(blocks).splitlines()]
    monkeypatch.setenv("HYDRASCOPE_DSN", empty_dsn)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "telemetry").symlink_to(folder)
    run = []
    for words in commands:
        match words:
            case ["python", "-m", "hydrascope", *arguments]:
                arguments = ["0.3" if word == "60" else word for word in arguments]
                result = CliRunner().invoke(app, arguments, catch_exceptions=False)
                assert result.exit_code == 0
                run.append(arguments[0])
            case ["python", "train.py", *overrides]:
                known = ["task=zema" if word == "task=press" else word for word in overrides]
                source = train_settings(*known, f"run_dir={tmp_path}").data.source.model_dump(
                    by_alias=True
                )
                assert source["dsn"] == empty_dsn
                assert locate(source.pop("_target_")) is TimescaleSource
                beside = {k: v for k, v in source.items() if k not in DatabaseSettings.model_fields}
                assert validate(SourceSettings, beside)
                run.append("train")
    assert run == ["db", "ingest", "train", "ingest", "train"]
