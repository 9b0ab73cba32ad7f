"""Telemetry without a clock: its times are counts, such as load cycles."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from telemetry_folders import check, make_folder, write

from hydrascope.data.windows import plan_windows, window_table
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.folder.timestamps import to_microseconds

CYCLES = 40
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["csv", "parquet"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Cycles 1 to 40 of a press; its pump wears in the last ten."""
    folder = make_folder(tmp_path / "f")
    file = folder / "machines" / "press.yaml"
    described = yaml.safe_load(file.read_text())
    for sensor in described["topology"]["components"][0]["sensors"]:
        sensor["rate_hz"] = 1
    file.write_text(yaml.safe_dump(described))
    number = np.arange(1, CYCLES + 1)
    table = pd.DataFrame({"timestamp": number, "equipment_id": "press", "p": 100.0 + number})
    write(table.assign(T=40.0, x=1.0), folder / f"a.{request.param}")
    labels = pd.DataFrame({"equipment_id": "press", "start": [1, 31], "end": [31, 41]})
    write(labels.assign(wear=[0, 1]), folder / "labels" / f"l.{request.param}")
    return folder


def test_a_window_is_so_many_cycles_and_labels_count_likewise(folder: Path) -> None:
    source = ParquetSource(folder, time_zone="counter")
    (extent,) = source.extents("press")
    assert extent.start == EPOCH + timedelta(seconds=1)
    plan = plan_windows(source, source.machines()["press"], WindowSpec(5.0, 5.0, 5))
    table = window_table(plan, source.labels("press"))
    assert table["wear"].tolist() == [0] * 6 + [1] * 2
    third = TimeWindow(start=EPOCH + timedelta(seconds=11), end=EPOCH + timedelta(seconds=16))
    assert source.read("press", third)["p"].values.tolist() == [111, 112, 113, 114, 115]


def test_counts_are_refused_unless_they_are_asked_for(folder: Path) -> None:
    with pytest.raises(SpecError, match="expected times"):
        _ = ParquetSource(folder).fingerprint
    assert check(folder, "--time-zone", "counter")[0] == 0


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["1", "two"]),
        pa.array([1.5]),
        pa.array([-1]),
        pa.array([1_700_000_000_000]),
        pa.array([0], pa.timestamp("us")),
    ],
)
def test_what_is_no_count_is_refused_in_one_line(column: pa.Array) -> None:
    with pytest.raises(
        SpecError, match=r"timestamp: .*; expected whole numbers from 0 to"
    ) as error:
        to_microseconds(column, "timestamp", "counter")
    assert "\n" not in str(error.value)
