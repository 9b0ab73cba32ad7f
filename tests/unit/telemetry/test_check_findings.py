"""What the check says of files, flags and values that are easily overlooked, and a source too."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from telemetry_folders import check, every, make_folder, narrow, said, write

from hydrascope.schemas import validate
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.check.examine import examine
from hydrascope.telemetry.check.findings import Severity, findings
from hydrascope.telemetry.folder.settings import FolderSettings

N = 600
"""Samples of one minute at 10 Hz."""


def rows(sensor_id: str = "p", **more: object) -> pd.DataFrame:
    return narrow(sensor_id, every(0.1, N), 150 + 40 * np.sin(np.arange(N) / 9), **more)


def slow() -> pd.DataFrame:
    return narrow("T", every(0.1, N), 40 + np.arange(N) / 100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = make_folder(tmp_path / "f")
    file = folder / "machines" / "press.yaml"
    described = yaml.safe_load(file.read_text())
    described["topology"]["components"][0]["sensors"][1]["rate_hz"] = 10
    file.write_text(yaml.safe_dump(described))
    label = {"equipment_id": "press", "start": "2024-05-01T12:00:00Z", "wear": 1}
    write(pd.DataFrame([label | {"end": "2024-05-01T12:10:00Z"}]), folder / "labels" / "l.csv")
    return folder


@pytest.fixture
def sound(folder: Path) -> Path:
    write(pd.concat([rows(), slow(), rows("x")]), folder / "a.parquet")
    return folder


@pytest.mark.parametrize(
    ("sensor", "mark", "severity"), [("T", -9999.0, "harms"), ("T", 3276.7, "harms")]
)
def test_a_mark_for_missing_values_is_named_and_a_range_mends_it(
    folder: Path, sensor: str, mark: float, severity: str
) -> None:
    sick = slow()
    sick.loc[::40, "value"] = mark
    write(pd.concat([rows(), sick, rows("x")]), folder / "a.parquet")
    message = said(check(folder)[1], f"press/{sensor}")
    assert message.startswith(f"{severity}: {mark:g} was read 15 times, far from all other values")
    assert "range in the machine file" in message
    file = folder / "machines" / "press.yaml"
    described = yaml.safe_load(file.read_text())
    described["topology"]["components"][0]["sensors"][1]["range"] = [0, 100]
    file.write_text(yaml.safe_dump(described))
    assert "far from all other values" not in said(check(folder)[1], f"press/{sensor}")


def test_an_implausible_extreme_that_repeats_is_a_note(folder: Path) -> None:
    sick = slow()
    sick.loc[::40, "value"] = 777.0
    write(pd.concat([rows(), sick, rows("x")]), folder / "a.parquet")
    assert "note: 777 was read 15 times" in said(check(folder)[1], "press/T")


def test_a_valve_that_opens_now_and_then_is_no_implausible_extreme(folder: Path) -> None:
    valve = rows("x")
    valve["value"] = (np.arange(N) % 40 == 0).astype(float)
    write(pd.concat([rows(), slow(), valve]), folder / "a.parquet")
    assert said(check(folder)[1], "press/x") == ""


def test_files_that_are_not_read_are_named_with_what_to_do(sound: Path) -> None:
    (sound / "b.csv.gz").write_bytes(gzip.compress(b"timestamp,equipment_id,p\n"))
    (sound / "c.xlsx").write_bytes(b"PK")
    (sound / "notes.md").write_text("of last week")
    (sound / "gone.csv").symlink_to(sound / "nowhere.csv")
    (sound / "labels" / "more.csv.zip").write_bytes(b"PK")
    write(rows()[:0], sound / "empty.csv")
    code, report = check(sound)
    assert code == 0
    assert said(report, "b.csv.gz and 1 more files") == "harms: passed over: compressed; unpack it"
    assert said(report, "c.xlsx").startswith("harms: passed over: ends in .xlsx; only .parquet")
    assert said(report, "notes.md").startswith("note: passed over: ends in .md")
    assert "a link to nothing" in said(report, "gone.csv")
    assert said(report, "empty.csv").startswith("harms: holds no row of telemetry")


def test_links_are_followed_and_a_ring_of_them_is_named(sound: Path, tmp_path: Path) -> None:
    older = rows().assign(timestamp=every(0.1, N, "2024-05-01T11:50:00Z"))
    write(older, tmp_path / "archive" / "b.csv")
    (sound / "older").symlink_to(tmp_path / "archive")
    (sound / "ring").symlink_to(sound)
    _, report = check(sound)
    assert report["machines"]["press"]["p"]["recorded"]["samples"] == 2 * N
    assert "which is read already" in said(report, "ring")


def test_a_sensor_under_a_slightly_other_name_is_said_with_that_name(folder: Path) -> None:
    renamed = pd.concat([rows("p [bar]"), slow().assign(sensor_id=" T"), rows("x")])
    write(renamed, folder / "a.csv")
    message = said(check(folder)[1], "press")
    assert "never recorded: p (the files have 'p [bar]'), T (the files have ' T')" in message


@pytest.mark.parametrize("column", ["quality", "Quality", "STATUS", "p_quality", "Gut"])
def test_flags_are_found_under_any_usual_name_and_compared_as_numbers(
    folder: Path, column: str
) -> None:
    flags = np.where(np.arange(N) % 10 == 0, 0.0, 192.0)
    table = pd.DataFrame({"timestamp": every(0.1, N), "equipment_id": "press"})
    write(table.assign(p=np.where(flags, 150.0, -9999), **{column: flags}), folder / "a.csv")
    named = ["--flags", "gut"] if column == "Gut" else []
    code, report = check(folder, "--accept", "192", *named)
    told = report["machines"]["press"]["p"]["recorded"]
    assert code == 0
    assert (told["bad_quality"], told["minimum"]) == (N // 10, 150)
    assert set(report["machines"]["press"]) == {"p", "T", "x"}


def test_a_setting_of_flags_that_matches_nothing_stops(sound: Path) -> None:
    code, report = check(sound, "--accept", "192")
    assert code == 1
    assert "quality_accepted is ['192'], but there is no column of flags" in said(report, "")
    code, report = check(sound, "--flags", "ok")
    assert code == 1
    assert "quality_column is 'ok', but there is no such column" in said(report, "")


def test_a_file_without_flags_beside_one_with_them_is_named(folder: Path) -> None:
    write(pd.concat([rows(quality=0)]), folder / "a.parquet")
    write(pd.concat([slow(), rows("x")]), folder / "b.parquet")
    _, report = check(folder, "--accept", "0.0")
    assert said(report, "b.parquet").startswith("harms: has no column of quality flags")


def test_a_source_remarks_what_the_check_says_that_harms(folder: Path) -> None:
    renamed = slow().assign(sensor_id=" T", quality=0)
    write(pd.concat([rows(quality=0), renamed, rows("x", quality=0)]), folder / "a.csv")
    (folder / "b.csv.gz").write_bytes(b"")
    lines = "\n".join(ParquetSource(folder).remarks())
    assert "press: never recorded: T (the files have ' T')" in lines
    assert "b.csv.gz: passed over: compressed" in lines
    assert "but no setting says which are good" in lines
    again = "\n".join(ParquetSource(folder).remarks())  # from the index that is kept
    assert again == lines


def write_labels(folder: Path, rows: dict[str, object]) -> None:
    """Replace the labels of the press by rows of ten seconds each."""
    times = every(10, 7)
    table = pd.DataFrame({"equipment_id": "press", "start": times[:-1], "end": times[1:], **rows})
    shutil.rmtree(folder / "labels", ignore_errors=True)
    write(table, folder / "labels" / "l.csv")


def test_telemetry_without_any_label_harms_nothing(sound: Path) -> None:
    shutil.rmtree(sound / "labels")
    _, report = check(sound)
    assert said(report, "").count("no machine has labels") == 1
    assert "note: no machine has labels: what is normal can be learned" in said(report, "")
    assert not any("label" in line for line in ParquetSource(sound).remarks())


def test_a_machine_without_labels_beside_labelled_ones_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "two", "press", "lift")
    both = [rows(), slow(), rows("x")]
    lift = [each.assign(equipment_id="lift") for each in both]
    write(pd.concat([*both, *lift]), folder / "a.parquet")
    write_labels(folder, {"wear": [0, 0, 1, 1, 0, 0]})
    _, report = check(folder)
    assert said(report, "lift").startswith("harms: no labels, while other machines have some")
    assert said(report, "press") == ""


def test_a_part_of_a_split_that_is_none_is_named_with_machine_and_time(sound: Path) -> None:
    write_labels(sound, {"split": ["train", "train", "validation", "val", None, "test"]})
    _, report = check(sound)
    assert said(report, "press") == (
        "harms: in its labels from 2024-05-01 12:00:20 on, split is 'validation'; accepted: train, "
        "val, test, or empty; data.split.name=column stops at it"
    )


def test_machines_shorter_than_a_window_are_counted_and_named(sound: Path) -> None:
    found = examine(validate(FolderSettings, {"folder": sound}), lambda *_: None)
    assert not [each for each in findings(found, 60.0) if "window" in each.message]
    (short,) = [each for each in findings(found, 61.0) if "window" in each.message]
    assert short.severity is Severity.STOPS
    assert short.message.startswith("1 of 1 machines are recorded for less than a window of 61 s")
    assert "press (60 s); shorten it, or set data.window.short=skip" in short.message
