"""What the check says of a folder, against pandas, and with which exit code."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_folders import check, every, make_folder, narrow, said, write
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas.samples import Ordered, Samples
from hydrascope.telemetry.folder import statistics, time_order
from hydrascope.telemetry.folder.statistics import SensorGatherer

N = 6000
"""Samples of ten minutes at 10 Hz."""


def rows(sensor_id: str = "p", **more: object) -> pd.DataFrame:
    return narrow(sensor_id, every(0.1, N), 150 + 40 * np.sin(np.arange(N) / 9), **more)


def slow() -> pd.DataFrame:
    return narrow("T", every(1, 600), 40 + np.arange(600) / 100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = make_folder(tmp_path / "f")
    label = {"equipment_id": "press", "start": "2024-05-01T12:00:00Z", "wear": 1}
    write(pd.DataFrame([label | {"end": "2024-05-01T12:10:00Z"}]), folder / "labels" / "l.csv")
    return folder


def test_a_sound_folder_passes_with_nothing_to_say(folder: Path) -> None:
    write(pd.concat([rows(), slow(), rows("x")]), folder / "a.parquet")
    code, report = check(folder)
    assert (code, report["ok"], report["findings"]) == (0, True, [])
    plain = CliRunner().invoke(app, ["check", str(folder)])
    assert plain.exit_code == 0
    assert "Nothing is wrong with this folder." in plain.stdout
    assert "6,000" in plain.stdout


@pytest.mark.parametrize("slice_cells", [100, 10**6])
def test_the_numbers_of_a_sensor_are_those_of_pandas(
    folder: Path, monkeypatch: pytest.MonkeyPatch, slice_cells: int
) -> None:
    monkeypatch.setattr(time_order, "SLICE_CELLS", slice_cells)
    monkeypatch.setattr(time_order, "LARGEST_SLICE_CELLS", slice_cells)
    sick = rows(quality="ok")
    sick.loc[100:140, "quality"] = "bad"
    sick.loc[3000:3059, "value"] = 500.0
    sick.loc[4000:4999, "value"] = 111.0
    sick = sick.drop(range(2000, 2600))
    beside = slow().assign(quality="ok")  # recorded during the gaps, so these are no pauses
    write(pd.concat([sick, sick.iloc[500:520], beside]), folder / "a.parquet", row_group=300)
    _, report = check(folder, "--accept", "ok")
    told = report["machines"]["press"]["p"]
    assert (told["unit"], told["declared_rate_hz"]) == ("bar", 10)
    judged = sick[sick["quality"] == "ok"]
    good = judged[judged["value"] <= 400]
    values, times = np.unique(good["value"].astype(np.float32), return_counts=True)
    steps = good["timestamp"].diff().dt.total_seconds()
    assert told["recorded"] == {
        "samples": len(sick),
        "rate_hz": pytest.approx(1 / steps.median()),
        "first": "2024-05-01T12:00:00.000000Z",
        "last": "2024-05-01T12:09:59.900000Z",
        "duration_s": 599.9,
        "gaps": int((steps > 0.15).sum()),
        "longest_gap_s": pytest.approx(steps.max()),
        "missing": pytest.approx(1 - len(good) / N),
        "bad_quality": 41,
        "out_of_range": 60,
        "minimum": pytest.approx(judged["value"].min(), rel=1e-6),
        "median": pytest.approx(judged["value"].median(), rel=1e-6),
        "maximum": 500,
        "lowest": {"value": values[0], "times": times[0], "next": values[1]},
        "highest": {"value": values[-1], "times": times[-1], "next": values[-2]},
        "spread": pytest.approx(np.subtract(*good["value"].quantile([0.75, 0.25])), rel=1e-6),
        "longest_constant_s": pytest.approx(99.9),
        "duplicates": 20,
        "unsorted": told["recorded"]["unsorted"],
    }


def test_a_pause_of_the_whole_machine_is_not_missing(folder: Path) -> None:
    paused = [table[table["timestamp"].dt.minute != 5] for table in (rows(), slow(), rows("x"))]
    write(pd.concat(paused), folder / "a.parquet")
    _, report = check(folder)
    sensors = report["machines"]["press"]
    assert [sensors[name]["recorded"]["missing"] for name in "pTx"] == [0, 0, 0]
    assert sensors["p"]["recorded"]["longest_gap_s"] == pytest.approx(60.1)
    write(pd.concat([paused[0], slow(), rows("x")]), folder / "a.parquet")
    _, report = check(folder)
    missing = report["machines"]["press"]["p"]["recorded"]["missing"]
    assert missing == pytest.approx(0.1, abs=1e-4)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20), st.integers(0, 2**31))
def test_how_samples_are_sliced_does_not_matter(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    time_us = np.cumsum(rng.choice([100_000, 100_000, 100_000, 700_000], n)).astype(np.int64)
    samples = Samples(
        time_us, rng.integers(0, 2, n).astype(np.float32), np.zeros(n, dtype=np.uint8)
    )
    whole, parts = SensorGatherer(10.0), SensorGatherer(10.0)
    # The usual distance is taken from the first slice: long enough in both.
    first = Samples(np.arange(-50, 0) * 100_000, np.zeros(50, np.float32), np.zeros(50, np.uint8))
    for gatherer in (whole, parts):
        gatherer.add(Ordered(first, 0, 0))
    whole.add(Ordered(samples, 0, 0))
    for begin, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        parts.add(Ordered(samples.take(slice(begin, begin + size)), 0, 0))
    assert parts.statistics(None) == whole.statistics(None)


def test_the_median_of_a_long_recording_is_near_the_true_one() -> None:
    spread = statistics._EvenlySpaced()
    values = np.random.default_rng(0).normal(size=1_000_000)
    for part in np.array_split(values, 77):
        spread.add(part)
    assert len(spread._kept) <= 2**13
    kept = values[:: spread._stride]
    np.testing.assert_array_equal(spread._kept, kept)
    assert spread.median() == pytest.approx(0, abs=0.02)


def test_what_is_wrong_is_said_with_the_remedy_worst_first(folder: Path) -> None:
    sick = rows(quality=0).drop(range(2000, 3000))
    sick.loc[3000:3999, "value"] = 999
    dead = narrow("T", every(1, 600), 20.0)
    half = narrow("x", every(0.2, 3000), np.random.default_rng(0).random(3000))
    strange = narrow("y", every(1, 5), 1.0)
    other = narrow("p", every(1, 5), 1.0, equipment_id="saw")
    write(pd.concat([sick, dead, half, strange, other, sick[:7]]), folder / "a.parquet")
    code, report = check(folder)
    assert code == 0
    severities = [each["severity"] for each in report["findings"]]
    assert severities == sorted(severities, key=["stops", "harms", "note"].index)
    assert "harms: 20.0% of the values are outside its range [0.0, 400.0] bar" in said(
        report, "press/p"
    )
    assert "% of the samples are missing (" in said(report, "press/p")
    assert "always 20: no information" in said(report, "press/T")
    assert "recorded at 5 Hz, but the machine file says 10 Hz" in said(report, "press/x")
    assert "not in the machine file and left alone: y" in said(report, "press")
    assert "7 rows repeat an instant" in said(report, "press")
    assert "rows are out of order" in said(report, "press")
    assert "no machine file: its telemetry is left alone" in said(report, "saw")
    assert "a column of quality flags, but no setting says which are good" in said(
        report, "a.parquet"
    )


def test_values_in_another_unit_are_recognised_and_the_option_mends_them(folder: Path) -> None:
    psi = rows()
    psi["value"] *= 14.5037738
    write(pd.concat([psi, slow(), rows("x")]), folder / "a.parquet")
    _, report = check(folder)
    assert "every value is outside its range [0.0, 400.0] bar (median 21" in said(report, "press/p")
    code, mended = check(folder, "--unit", "p=psi")
    assert (code, mended["findings"]) == (0, [])


def test_what_would_stop_a_training_is_said_for_every_file_and_exits_with_1(folder: Path) -> None:
    write(rows(), folder / "good.parquet")
    write(rows().assign(timestamp=every(0.1, N).tz_localize(None)), folder / "naive.parquet")
    write(rows().rename(columns={"value": "reading"}), folder / "columns.csv")
    (folder / "letters.csv").write_text(
        "timestamp,equipment_id,sensor_id,value\n2024-05-01T12:00:00Z,press,p,high\n"
    )
    (folder / "labels" / "l.csv").write_text("equipment_id,start\n")
    code, report = check(folder)
    assert code == 1
    assert not report["ok"]
    stops = said(report, "")
    assert "naive.parquet: timestamp: '2024-05-01 12:00:00' has no time zone" in stops
    assert "columns.csv: no column value; it has: timestamp, equipment_id" in stops
    assert "letters.csv:2: value is 'high'; expected a number, or nothing" in stops
    assert "l.csv: no column end" in stops
    assert report["machines"]["press"]["p"]["recorded"]["samples"] == N


def test_a_machine_without_a_good_sample_and_a_folder_without_machine_files_exit_with_1(
    folder: Path,
) -> None:
    write(rows().assign(equipment_id="saw"), folder / "a.parquet")
    code, report = check(folder)
    assert code == 1
    assert "stops: no good sample of any of its sensors" in said(report, "press")
    (folder / "machines" / "press.yaml").unlink()
    code, report = check(folder)
    assert code == 1
    assert "machines: no machine file; expected <equipment id>.yaml" in said(report, "")
    assert report["machines"]["saw"]["p"]["recorded"]["rate_hz"] == pytest.approx(10)
