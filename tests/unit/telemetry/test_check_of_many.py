"""The check of many small machines: in seconds, and in few lines."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from telemetry_folders import check, every, machine, write
from tests.support.processor_time import processor_s
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.telemetry import ParquetSource

pytestmark = pytest.mark.xdist_group("check_of_many")  # its fleet is written once

MACHINES, ROWS, SENSORS = 40, 200, 20
MANY = 200


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fleet(tmp_path_factory.mktemp("fleet") / "f", MACHINES)


def write_fleet(folder: Path, machines: int) -> Path:
    """Write machines with a file of telemetry and a machine file each; `s3` is always the same."""
    names = [f"s{number}" for number in range(SENSORS)]
    sensors = [{"id": name, "kind": "pressure", "unit": "bar", "rate_hz": 1} for name in names]
    random = np.random.default_rng(0)
    (folder / "machines").mkdir(parents=True)
    components = [{"id": "fan", "kind": "pump", "sensors": sensors}]
    content = yaml.safe_dump(
        machine("NAME") | {"topology": {"id": "engine", "components": components}}
    )
    for number in range(machines):
        name = f"engine_{number}"
        (folder / "machines" / f"{name}.yaml").write_text(content.replace("NAME", name))
        frame = pd.DataFrame(random.standard_normal((ROWS, SENSORS)).round(3), columns=names)
        frame["s3"] = 7.0
        frame.insert(0, "timestamp", every(1.0, ROWS))
        frame.insert(1, "equipment_id", name)
        write(frame, folder / f"{name}.csv")
    return folder


@pytest.mark.slow
def test_two_hundred_machines_are_checked_in_seconds(tmp_path: Path) -> None:
    fleet = write_fleet(tmp_path / "many", MANY)
    reading = (
        "import pathlib, pandas\n"
        f"for path in pathlib.Path({str(fleet)!r}).glob('*.csv'): pandas.read_csv(path)"
    )
    # 2.7 s where pandas alone reads the files in 0.56 s.
    pandas_s = processor_s(sys.executable, "-c", reading)
    assert processor_s(sys.executable, "-m", "hydrascope", "check", str(fleet)) < 8 * pandas_s


def test_machines_of_a_build_share_a_table_and_findings_of_a_kind_a_line(fleet: Path) -> None:
    shown = CliRunner().invoke(app, ["check", str(fleet)])
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert len(lines) < 2 * SENSORS
    assert (
        lines[0].strip()
        == f"engine, {MACHINES} machines: 2024-05-01 12:00:00 to 2024-05-01 12:03:19 UTC"
    )
    (row,) = (line.split() for line in lines if line.strip().startswith("s3 "))
    assert row[1] == f"{MACHINES * ROWS:,}"
    assert "7" in row
    told = [line for line in lines if line.startswith(("harms", "note"))]
    assert len(told) == 2
    (constant,) = (line for line in told if f"always the same value, {MACHINES} times" in line)
    assert f"in {MACHINES} machines: such as engine_0/s3: always 7" in constant
    assert lines[-1] == f"--json lists all {MACHINES + 1} findings one by one."


def test_each_file_that_is_refused_is_listed(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.parquet").write_text("no table")
    shown = CliRunner().invoke(app, ["check", str(tmp_path)])
    stops = [line for line in shown.output.splitlines() if line.startswith("stops")]
    for number in range(5):
        assert any(f"{number}.parquet" in line for line in stops)
    assert "--json" not in shown.output


def test_json_lists_every_finding_with_its_kind(fleet: Path) -> None:
    _, report = check(fleet)
    assert len(report["machines"]) == MACHINES
    kinds = [each["kind"] for each in report["findings"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "no labels": 1,
        "always the same value": MACHINES,
    }


def test_a_training_remarks_them_in_as_few_lines(fleet: Path) -> None:
    constant, more = ParquetSource(str(fleet)).remarks()
    assert "always the same value" in constant
    assert more.endswith("check shows a note more")
