"""`hydrascope init`: what it proposes to learn, and from which rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.raw_folders import engines, noise, water_loop
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import TaskSpec, validate
from hydrascope.schemas.machine_file import machines_in
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.telemetry import ParquetSource


def init(folder: Path, *options: str) -> tuple[TaskSpec, dict[str, dict], ParquetSource]:  # type: ignore[type-arg]
    """Run the command; return the task, the keys of `data` and the source that it wrote."""
    into = folder.parent / "own"
    result = CliRunner().invoke(app, ["init", str(folder), "--into", str(into), *options])
    assert result.exit_code == 0, result.output
    task = validate(TaskSpec, load_yaml(into / "conf" / "task" / f"{folder.name}.yaml"))
    experiment = load_yaml(into / "conf" / "experiment" / f"{folder.name}.yaml")
    assert isinstance(experiment, dict)
    return task, experiment["data"], ParquetSource(**experiment["data"]["source"])


def rows(count: int, **columns: object) -> pd.DataFrame:
    """A table of one machine at 1 Hz in the form that sources read, with further columns."""
    times = pd.date_range("2024-03-01", periods=count, freq="1s", tz="UTC")
    table = pd.DataFrame({"timestamp": times, "equipment_id": "m", "p [bar]": 5 + noise(count)})
    return table.assign(**columns)


def write(table: pd.DataFrame, path: Path) -> Path:
    """Write a file; return its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return path.parent


def test_headers_become_aliases_and_nothing_is_copied(tmp_path: Path) -> None:
    folder = write(rows(200), tmp_path / "raw" / "a.csv")
    _, data, source = init(folder)
    assert data["source"]["folder"] == str(folder)
    (machine,) = machines_in(tmp_path / "own" / "machines" / "raw.yaml")
    assert machine.equipment.aliases == {"p": ("p [bar]",)}
    (extent,) = source.extents("m")
    raw = pd.read_csv(folder / "a.csv")["p [bar]"]
    assert source.read("m", extent)["p"].values.tolist() == pytest.approx(raw.tolist(), rel=1e-6)


def test_folders_of_a_partition_name_the_machines(tmp_path: Path) -> None:
    for number in range(3):
        table = rows(200).drop(columns="equipment_id")
        write(table, tmp_path / "raw" / f"equipment_id=press_{number}" / "part.csv")
    _, data, source = init(tmp_path / "raw")
    assert data["source"]["folder"] == str(tmp_path / "raw")
    assert sorted(source.machines()) == ["press_0", "press_1", "press_2"]
    assert all(len(source.extents(name)) == 1 for name in source.machines())


def test_sensors_in_folders_of_a_partition_are_read_under_their_tags(tmp_path: Path) -> None:
    for tag in ("4711.PV", "T oil"):
        table = rows(100).rename(columns={"p [bar]": "value"})
        write(table, tmp_path / "raw" / f"sensor_id={tag}" / "part.csv")
    _, data, source = init(tmp_path / "raw")
    assert data["source"]["folder"] == str(tmp_path / "raw")
    (extent,) = source.extents("m")
    signals = source.read("m", extent)
    assert sorted(signals) == ["T_oil", "m4711_PV"]
    assert not np.isnan(signals["m4711_PV"].values).any()


def test_folders_of_a_partition_under_another_name_are_copied(tmp_path: Path) -> None:
    for number in range(3):
        table = rows(200).drop(columns="equipment_id")
        write(table, tmp_path / "raw" / f"machine={number}" / "condition=ok" / "part.csv")
    _, data, source = init(tmp_path / "raw")
    assert data["source"]["folder"] == str(tmp_path / "own" / "telemetry")
    assert sorted(source.machines()) == ["m0", "m1", "m2"]
    assert source.labels("m0")["condition"].tolist() == [0]


def test_a_value_that_marks_missing_ones_is_outside_the_range(tmp_path: Path) -> None:
    values = np.linspace(4, 6, 200)
    values[50:55] = -9999
    folder = write(rows(200, **{"p [bar]": values}), tmp_path / "raw" / "a.csv")
    _, _, source = init(folder)
    (machine,) = machines_in(tmp_path / "own" / "machines" / "raw.yaml")
    assert machine.topology.sensors[0][1].range == (2.0, 8.0)
    (extent,) = source.extents("m")
    assert np.isnan(source.read("m", extent)["p"].values).sum() == 5
    text = (tmp_path / "own" / "machines" / "raw.yaml").read_text()
    assert "# guessed: range; -9999 marks a missing value" in text


def test_a_sensor_without_such_values_has_no_range(tmp_path: Path) -> None:
    init(write(rows(200), tmp_path / "raw" / "a.csv"))
    (machine,) = machines_in(tmp_path / "own" / "machines" / "raw.yaml")
    assert machine.topology.sensors[0][1].range is None


def test_anomalies_judge_and_nothing_is_learned_from_them(tmp_path: Path) -> None:
    anomaly = (np.arange(2000) % 100 > 90).astype(int)
    folder = write(rows(2000, anomaly=anomaly, changepoint=0), tmp_path / "raw" / "a.csv")
    task, data, source = init(folder)
    assert task.normality
    assert task.normality.fit
    assert task.normality.truth == {"anomaly": 0}
    window = data["window"]
    assert task.normality.fit.first_windows == int(0.4 * 2000 / window["stride_s"])
    assert task.heads == ()
    assert [*source.labels("m")] == ["start", "end", "anomaly"]


def test_the_remaining_life_counts_back_from_the_end(tmp_path: Path) -> None:
    folder = engines(tmp_path / "raw", cycles=60)
    task, data, source = init(folder, "--learn", "remaining_life")
    (head,) = task.heads
    assert (head.label or head.name, head.kind, head.unit) == (
        "remaining_life",
        "regression",
        "cycles",
    )
    labels = source.labels("m1")
    assert labels["remaining_life"].tolist() == list(range(59, -1, -1))
    assert labels["start"].iloc[0] == pd.Timestamp(1, unit="s", tz="UTC")
    assert data["split"]["name"] == "by_machine"


def test_remaining_life_of_a_clock_is_in_hours(tmp_path: Path) -> None:
    table = rows(4000)
    table["timestamp"] = pd.date_range("2024-03-01", periods=4000, freq="1min", tz="UTC")
    task, _, source = init(write(table, tmp_path / "raw" / "a.csv"), "--learn", "remaining_life")
    assert task.heads[0].unit == "h"
    labels = source.labels("m")
    assert len(labels) == 1000
    assert labels["remaining_life"].iloc[0] == pytest.approx((4000 - 4) / 60)
    assert labels["remaining_life"].iloc[-1] == 0


def test_short_machines_are_named_and_padded(tmp_path: Path) -> None:
    folder = engines(tmp_path / "raw", count=8, cycles=120)
    table = pd.read_csv(folder / "train.csv")
    keep = (table["unit_number"] != 3) | (table["time_in_cycles"] <= 9)
    write(table[keep], folder / "train.csv")
    _, data, _ = init(folder, "--learn", "remaining_life")
    assert (data["window"]["window_s"], data["window"]["short"]) == (30, "pad")
    text = (tmp_path / "own" / "conf" / "experiment" / "raw.yaml").read_text()
    assert "# Shorter than a window: m3." in text


def test_a_column_of_parts_is_the_split(tmp_path: Path) -> None:
    for number, part in enumerate(["Training"] * 4 + ["test"] * 2):
        fault = (np.arange(600) // 100) % 2
        table = rows(600, equipment_id=f"m{number}", fault=fault, split=part)
        write(table, tmp_path / "raw" / f"m{number}.csv")
    task, data, source = init(tmp_path / "raw")
    assert [head.name for head in task.heads] == ["fault"]
    assert data["split"] == {"name": "column", "val_group": "equipment_id"}
    labels = source.labels("m0")
    assert labels["split"].unique().tolist() == ["train"]
    assert labels["fault"].tolist() == [0, 1, 0, 1, 0, 1]


def test_labels_that_change_at_different_times_share_a_table_without_overlap(
    tmp_path: Path,
) -> None:
    step = np.arange(600)
    table = rows(600, fault=(step // 100) % 2, condition=(step // 150) % 2)
    _, _, source = init(write(table, tmp_path / "raw" / "a.csv"))
    labels = source.labels("m")
    at = (labels["start"] - labels["start"].iloc[0]).dt.total_seconds().tolist()
    assert at == [0, 100, 150, 200, 300, 400, 450, 500]
    assert labels["fault"].tolist() == [0, 1, 1, 0, 1, 0, 0, 1]
    assert labels["condition"].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_a_label_does_not_last_through_a_pause(tmp_path: Path) -> None:
    table = rows(600, fault=(np.arange(600) // 50) % 2)
    table.loc[320:, "timestamp"] += pd.Timedelta(hours=2)
    _, _, source = init(write(table, tmp_path / "raw" / "a.csv"))
    labels = source.labels("m")
    seconds = (labels["end"] - labels["start"]).dt.total_seconds()
    assert seconds[labels["fault"].notna()].sum() == 600
    assert seconds.max() == 50


def test_labels_that_cannot_be_learned_are_refused_if_asked_for(tmp_path: Path) -> None:
    folder = water_loop(tmp_path / "raw", rows=300)
    command = ["init", str(folder), "--into", str(tmp_path / "own"), "--learn", "labels"]
    result = CliRunner().invoke(app, command)
    assert "accepted: normality, remaining_life" in str(result.exception)
    assert not (tmp_path / "own").exists()


def test_a_counter_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    folder = write(rows(20).drop(columns="timestamp").assign(cycle=0.5), tmp_path / "raw" / "a.csv")
    result = CliRunner().invoke(app, ["init", str(folder), "--into", str(tmp_path / "own")])
    assert "cycle: " in str(result.exception)
    assert "expected whole numbers" in str(result.exception)
