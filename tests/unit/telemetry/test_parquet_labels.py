"""Labels of a folder of telemetry."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from telemetry_folders import every, make_folder, narrow, write

from hydrascope.telemetry import ParquetSource

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def recording(duration_s: int) -> pd.DataFrame:
    return narrow("T", every(1.0, duration_s), 20 + np.arange(duration_s) / 10)


def test_labels_are_those_of_the_machine_in_utc(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f", "press", "saw")
    write(recording(10), folder / "a.parquet")
    labels = pd.DataFrame(
        {
            "equipment_id": ["press", "saw", "press"],
            "start": ["2024-05-01T14:00:05+02:00", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z"],
            "end": ["2024-05-01T14:00:10+02:00", "2024-05-01T12:00:05Z", "2024-05-01T12:00:05Z"],
            "pump.wear": [2, 0, None],
        }
    )
    write(labels, folder / "labels" / "first.csv")
    write(recording(10).assign(equipment_id="saw"), folder / "b.parquet")
    table = ParquetSource(folder).labels("press")
    assert table["start"].tolist() == [NOON, NOON + timedelta(seconds=5)]
    np.testing.assert_array_equal(table["pump.wear"], [np.nan, 2])
    (folder / "labels" / "first.csv").unlink()
    bare = ParquetSource(folder).labels("press")
    assert list(bare.columns) == ["start", "end"]
    assert len(bare) == 0


def test_labels_of_machines_without_a_file_are_ignored_like_their_telemetry(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f", "press")
    for name in ("press", "saw"):
        write(recording(10).assign(equipment_id=name), folder / f"{name}.parquet")
    label = {"start": NOON, "end": NOON + timedelta(seconds=5)}
    labels = [{"equipment_id": name, **label, "pump.wear": 1} for name in ("press", "saw")]
    write(pd.DataFrame(labels), folder / "labels" / "all.csv")
    source = ParquetSource(folder)
    assert list(source.machines()) == ["press"]
    assert len(source.labels("press")) == 1
