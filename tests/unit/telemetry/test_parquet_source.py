"""Folders of Parquet and CSV as a source: what is read, from whatever files it is read."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telemetry_folders import every, make_folder, narrow, write

from hydrascope.schemas import TimeWindow
from hydrascope.telemetry import ParquetSource, TelemetrySource
from hydrascope.telemetry.folder import time_order

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
NAN = float("nan")


def seconds(start: float, end: float) -> TimeWindow:
    return TimeWindow(start=NOON + timedelta(seconds=start), end=NOON + timedelta(seconds=end))


def recording(duration_s: int = 60) -> pd.DataFrame:
    """A sine of 10 Hz, a ramp of 1 Hz, noise of 10 Hz, as rows in the order of time."""
    fast, slow = every(0.1, 10 * duration_s), every(1.0, duration_s)
    noise = np.random.default_rng(0).normal(size=10 * duration_s).astype(np.float32)
    parts = [
        narrow("p", fast, 200 + 50 * np.sin(np.arange(len(fast)) / 7)),
        narrow("T", slow, 20 + np.arange(len(slow)) / 10),
        narrow("x", fast, noise),
    ]
    return pd.concat(parts).sort_values("timestamp", kind="stable", ignore_index=True)


def wide(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows.pivot(index=["timestamp", "equipment_id"], columns="sensor_id", values="value")
    return table.reset_index()


def signals(source: TelemetrySource, window: TimeWindow) -> dict[str, list[float]]:
    return {name: signal.values.tolist() for name, signal in source.read("press", window).items()}


def same(a: dict[str, list[float]], b: dict[str, list[float]]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=True) for k in a)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ParquetSource:
    folder = make_folder(tmp_path_factory.mktemp("telemetry") / "plain")
    write(recording(), folder / "all.parquet")
    return ParquetSource(folder)


def test_every_sensor_keeps_its_own_rate_and_its_values(plain: ParquetSource) -> None:
    assert plain.extents("press") == [seconds(0, 60)]
    read = plain.read("press", seconds(0, 60))
    assert {name: signal.rate_hz for name, signal in read.items()} == {"p": 10, "T": 1, "x": 10}
    rows = recording()
    for name, signal in read.items():
        expected = rows.loc[rows["sensor_id"] == name, "value"].to_numpy(dtype=np.float32)
        assert signal.values.dtype == np.float32
        np.testing.assert_array_equal(signal.values, expected)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("shape", ["narrow", "wide", "daily files", "shuffled", "repeated"])
def test_the_same_samples_in_any_files_are_the_same_telemetry(
    plain: ParquetSource, tmp_path: Path, suffix: str, shape: str
) -> None:
    folder, rows = make_folder(tmp_path / "other"), recording()
    match shape:
        case "narrow":
            write(rows, folder / f"a{suffix}")
        case "wide":
            write(wide(rows), folder / f"a{suffix}")
        case "daily files":
            for number in range(5):
                write(rows.iloc[number::5], folder / "deep" / f"{number}{suffix}")
        case "shuffled":
            write(rows.sample(frac=1, random_state=1), folder / f"a{suffix}", row_group=100)
        case "repeated":
            write(pd.concat([rows, rows.iloc[100:500]]), folder / f"a{suffix}", row_group=100)
    other = ParquetSource(folder)
    assert other.extents("press") == plain.extents("press")
    assert same(signals(other, seconds(7.3, 41)), signals(plain, seconds(7.3, 41)))
    assert other.fingerprint == plain.fingerprint


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_shuffled_and_duplicated_rows_give_the_same_signals_in_small_slices_too(
    plain: ParquetSource,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    data: st.DataObject,
) -> None:
    monkeypatch.setattr(time_order, "SLICE_CELLS", data.draw(st.sampled_from([40, 300, 10**6])))
    monkeypatch.setattr(time_order, "LARGEST_SLICE_CELLS", time_order.SLICE_CELLS)
    rows = recording()
    seed = data.draw(st.integers(0, 2**32 - 1))
    twice = rows.sample(data.draw(st.integers(0, 300)), random_state=seed)
    mixed = pd.concat([rows, twice]).sample(frac=1, random_state=seed)
    cut = data.draw(st.integers(0, len(mixed)))
    folder = make_folder(tmp_path_factory.mktemp("mixed") / "folder")
    for name, part in (("a", mixed[:cut]), ("b", mixed[cut:])):
        if len(part):
            write(part, folder / f"{name}.parquet", row_group=data.draw(st.integers(50, 2000)))
    source = ParquetSource(folder)
    assert source.fingerprint == plain.fingerprint
    assert same(signals(source, seconds(0, 60)), signals(plain, seconds(0, 60)))


def test_of_rows_of_one_instant_the_last_by_file_name_and_row_wins(tmp_path: Path) -> None:
    folder, when = make_folder(tmp_path / "f"), every(0.1, 5)
    write(narrow("p", when, [1, 2, 3, 4, 5]), folder / "a.csv")
    correction = pd.concat([narrow("p", when[1:2], [20]), narrow("p", when[1:2], [21])])
    write(correction, folder / "b.parquet")
    assert signals(ParquetSource(folder), seconds(0, 0.5))["p"] == [1, 21, 3, 4, 5]


def test_windows_cut_anywhere_are_parts_of_the_whole(plain: ParquetSource) -> None:
    whole = signals(plain, seconds(0, 60))
    cuts = [0, 0.05, 7.77, 30, 59.999, 60]
    parts = [signals(plain, seconds(a, b)) for a, b in pairwise(cuts)]
    assert same({k: [v for part in parts for v in part[k]] for k in whole}, whole)


def test_an_extent_ends_where_no_sensor_has_data_for_longer_than_the_maximal_gap(
    tmp_path: Path,
) -> None:
    folder, rows = make_folder(tmp_path / "f"), recording()
    after = (rows["timestamp"] - pd.Timestamp(NOON)).dt.total_seconds()
    silent = ((after >= 10) & (after < 18)) | ((after >= 30) & (after < 50))
    alone = (rows["sensor_id"] == "T") & (after >= 10) & (after < 18)
    write(rows[~silent | alone], folder / "a.parquet")
    assert ParquetSource(folder, max_gap_s=5).extents("press") == [seconds(0, 30), seconds(50, 60)]
    write(rows[~silent], folder / "a.parquet")
    gaps = {
        limit: ParquetSource(folder, max_gap_s=limit).extents("press") for limit in (7.9, 8.0, 20.0)
    }
    assert gaps[7.9] == [seconds(0, 10), seconds(18, 30), seconds(50, 60)]
    assert gaps[8.0] == [seconds(0, 30), seconds(50, 60)]
    assert gaps[20.0] == [seconds(0, 60)]


def test_a_short_gap_within_an_extent_is_missing_not_invented(tmp_path: Path) -> None:
    folder, rows = make_folder(tmp_path / "f"), recording(10)
    write(rows[(rows.index < 30) | (rows.index >= 100)], folder / "a.parquet")
    source = ParquetSource(folder)
    read = pd.Series(source.read("press", seconds(0, 10))["p"].values)
    kept = rows[(rows.index < 30) | (rows.index >= 100)]
    times = kept.loc[kept["sensor_id"] == "p", "timestamp"]
    assert read.notna().sum() == len(times)
    index = np.rint((times - pd.Timestamp(NOON)).dt.total_seconds() * 10).astype(int)
    assert read[index].notna().all()


def test_values_outside_the_range_of_their_sensor_and_of_bad_quality_are_missing(
    tmp_path: Path,
) -> None:
    folder = make_folder(tmp_path / "f")
    rows = narrow(
        "p", every(0.1, 6), [1, -0.1, 400, 401, 5, 6], quality=[192, 192, 192, 192, 0, 192]
    )
    write(rows, folder / "a.parquet")
    read = signals(ParquetSource(folder, quality_accepted=[192]), seconds(0, 0.6))["p"]
    np.testing.assert_array_equal(read, [1, NAN, 400, NAN, NAN, 6])
    read = signals(ParquetSource(folder), seconds(0, 0.6))["p"]
    np.testing.assert_array_equal(read, [1, NAN, 400, NAN, 5, 6])
    counted = ParquetSource(folder, quality_accepted=["192"])._index.statistics["press"]["p"]
    assert (counted.out_of_range, counted.bad_quality) == (2, 1)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_units_are_converted_to_those_of_the_machine_file(tmp_path: Path, suffix: str) -> None:
    folder = make_folder(tmp_path / "f")
    mixed = narrow("p", every(0.1, 3), [1450.377377, 100, 10], unit=["psi", "bar", "MPa"])
    warm = narrow("T", every(1, 1), [104.0], unit=["degF"])
    write(pd.concat([mixed, warm]), folder / f"a{suffix}")
    read = signals(ParquetSource(folder), seconds(0, 0.3))
    np.testing.assert_allclose(read["p"], [100, 100, 100], rtol=1e-6)
    np.testing.assert_allclose(read["T"], [40], rtol=1e-6)
    # What the configuration says wins; out of range is judged after the conversion.
    forced = signals(ParquetSource(folder, units={"p": "mbar"}), seconds(0, 0.3))
    np.testing.assert_allclose(forced["p"], [1.450377377, 0.1, 0.01], rtol=1e-6)


def test_all_sensors_can_be_put_on_one_rate(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f")
    write(recording(), folder / "a.parquet")
    source = ParquetSource(folder, resample={"method": "mean", "rate_hz": 2})
    read = source.read("press", seconds(0, 60))
    assert {signal.rate_hz for signal in read.values()} == {2}
    rows = recording().set_index("timestamp")
    expected = rows.loc[rows["sensor_id"] == "p", "value"].resample("500ms").mean()
    np.testing.assert_allclose(read["p"].values, expected, rtol=1e-6)
    np.testing.assert_allclose(read["T"].values[::2], 20 + np.arange(60) / 10, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_local_times_are_placed_by_the_zone_of_the_configuration(
    tmp_path: Path, suffix: str
) -> None:
    folder, rows = make_folder(tmp_path / "f"), recording(10)
    local = rows["timestamp"].dt.tz_convert("Europe/Berlin").dt.tz_localize(None)
    write(rows.assign(timestamp=local), folder / f"a{suffix}")
    source = ParquetSource(folder, time_zone="Europe/Berlin")
    assert source.extents("press") == [seconds(0, 10)]
    # A file with offsets needs no zone and heeds none.
    write(rows, folder / f"a{suffix}")
    assert ParquetSource(folder, time_zone="Europe/Berlin").extents("press") == [seconds(0, 10)]


def test_machines_are_told_apart_and_strange_sensors_left_alone(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f", "press", "saw")
    rows = recording(10)
    late = every(0.1, 20, "2024-05-01T12:00:05Z")
    strange = pd.concat([narrow("foo", late, 1.0), narrow("p", late, 1.0, equipment_id="mill")])
    saw = narrow("p", late, 7.0, equipment_id="saw")
    write(pd.concat([rows, strange, saw]), folder / "a.parquet", row_group=37)
    source = ParquetSource(folder)
    assert list(source.machines()) == ["press", "saw"]
    assert source.extents("saw") == [seconds(5, 7)]
    assert source.extents("press") == [seconds(0, 10)]
    assert set(source.read("press", seconds(0, 10))) == {"p", "T", "x"}
    saw_signals = source.read("saw", seconds(5, 7))
    assert saw_signals["p"].values.tolist() == [7.0] * 20
    assert np.isnan(saw_signals["T"].values).all()


def test_the_fingerprint_changes_with_a_sample_a_label_or_a_machine(tmp_path: Path) -> None:
    folder, rows = make_folder(tmp_path / "f"), recording(10)
    write(rows, folder / "a.parquet")
    found = {ParquetSource(folder).fingerprint}
    found.add(ParquetSource(folder, resample={"method": "hold"}).fingerprint)
    rows.loc[50, "value"] += 1e-3
    write(rows, folder / "a.parquet")
    found.add(ParquetSource(folder).fingerprint)
    label = {"equipment_id": "press", "start": NOON, "end": NOON + timedelta(seconds=5), "wear": 1}
    write(pd.DataFrame([label]), folder / "labels" / "l.parquet")
    found.add(ParquetSource(folder).fingerprint)
    machine = folder / "machines" / "press.yaml"
    machine.write_text(machine.read_text().replace("name: Press", "name: Old press"))
    found.add(ParquetSource(folder).fingerprint)
    assert len(found) == 5


def test_the_scan_is_kept_until_a_file_or_a_setting_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path / "f")
    write(recording(10), folder / "a.parquet")
    first = ParquetSource(folder).fingerprint
    (kept,) = (folder / ".hydrascope").iterdir()
    again = ParquetSource(folder)
    with monkeypatch.context() as patch:
        patch.setattr("hydrascope.telemetry.folder.index.build", None)
        assert again.fingerprint == first
    kept.write_text("{")
    assert ParquetSource(folder).fingerprint == first
    ParquetSource(folder, max_gap_s=3).extents("press")
    write(recording(20), folder / "a.parquet")
    assert ParquetSource(folder).extents("press") == [seconds(0, 20)]
    assert len(list((folder / ".hydrascope").iterdir())) == 3


def test_a_window_outside_and_a_machine_that_is_not_there_are_refused(
    plain: ParquetSource,
) -> None:
    with pytest.raises(ValueError, match=r"no telemetry of 'press' in .*12:01:01.*; recorded: "):
        plain.read("press", seconds(50, 61))
    for ask in (plain.extents, plain.labels, lambda name: plain.read(name, seconds(0, 1))):
        with pytest.raises(ValueError, match="no machine 'saw'; there is: 'press'"):
            ask("saw")
