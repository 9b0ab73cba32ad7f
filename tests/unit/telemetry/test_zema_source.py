"""The ZeMA rig as a source: the embedded set and its machine."""

import csv
import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.telemetry import TelemetrySource, ZemaSource
from hydrascope.telemetry.zema_recording import ASSETS

NATIVE = Path(__file__).parents[2] / "data" / "zema_native"
NATIVE_ROWS = [408, 438, 752, 1091, 1468, 1477, 1790, 1953, 1966, 2037]
"""The cycles of the whole set that the native sample holds."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def embedded() -> ZemaSource:
    return ZemaSource()


@pytest.fixture(scope="module")
def native() -> ZemaSource:
    return ZemaSource(NATIVE)


def seconds(start: float, end: float) -> TimeWindow:
    return TimeWindow(start=EPOCH + timedelta(seconds=start), end=EPOCH + timedelta(seconds=end))


def test_the_embedded_set_is_a_day_and_a_half_of_one_machine(embedded: TelemetrySource) -> None:
    assert list(embedded.machines()) == ["zema"]
    assert embedded.extents("zema") == [seconds(0, 2205 * 60)]
    signals = embedded.read("zema", seconds(0, 2205 * 60))
    assert {signal.rate_hz for signal in signals.values()} == {1.0}
    assert {(s.values.dtype, s.values.shape) for s in signals.values()} == {
        (np.dtype(np.float32), (2205 * 60,))
    }


def test_every_value_lies_in_the_range_of_its_sensor_in_the_machine_file(
    embedded: ZemaSource, native: ZemaSource
) -> None:
    for source in (embedded, native):
        (machine,), (extent,) = source.machines().values(), source.extents("zema")
        signals = source.read("zema", extent)
        sensors = {sensor.id: sensor for _, sensor in machine.topology.sensors}
        assert sensors.keys() == signals.keys()
        for name, sensor in sensors.items():
            assert sensor.range is not None
            low, high = sensor.range
            assert low <= signals[name].values.min() <= signals[name].values.max() <= high


def test_the_machine_has_the_four_components_whose_condition_is_labelled(
    embedded: ZemaSource,
) -> None:
    topology = embedded.machines()["zema"].topology
    assert {"cooler", "valve", "main_pump", "accumulator"} <= set(topology.component_index)
    assert 8 <= len(topology.components) <= 10


def test_cycle_k_starts_at_k_minutes(embedded: ZemaSource) -> None:
    with np.load(Path(str(ASSETS / "zema_1hz.npz")), allow_pickle=False) as arrays:
        telemetry, sensors = arrays["telemetry"], list(arrays["sensors"])
    for cycle in (0, 1, 731, 2204):
        signals = embedded.read("zema", seconds(60 * cycle, 60 * cycle + 60))
        for name, signal in signals.items():
            np.testing.assert_array_equal(signal.values, telemetry[cycle, sensors.index(name)])


def test_the_embedded_values_are_the_means_of_the_native_ones(
    embedded: ZemaSource, native: ZemaSource
) -> None:
    for line, cycle in enumerate(NATIVE_ROWS):
        fine = native.read("zema", seconds(60 * line, 60 * line + 60))
        coarse = embedded.read("zema", seconds(60 * cycle, 60 * cycle + 60))
        for name, signal in fine.items():
            means = signal.values.astype(np.float64).reshape(60, -1).mean(axis=1)
            np.testing.assert_allclose(coarse[name].values, means, rtol=1e-6, atol=1e-6)


def test_native_signals_keep_the_rate_of_their_sensor(native: ZemaSource) -> None:
    topology = native.machines()["zema"].topology
    signals = native.read("zema", seconds(0, 600))
    for _, sensor in topology.sensors:
        assert signals[sensor.id].rate_hz == sensor.rate_hz
        assert len(signals[sensor.id].values) == 600 * sensor.rate_hz
    first_line = (NATIVE / "FS1.txt").read_text().splitlines()[0].split("\t")
    np.testing.assert_array_equal(signals["FS1"].values[:600], np.array(first_line, np.float32))


@pytest.mark.parametrize("start", [0.0, 0.995, 1.0, 59.123456, 61.01])
@pytest.mark.parametrize("length", [0.001, 0.01, 0.5, 60.0])
def test_a_window_holds_the_samples_whose_time_is_in_it(
    native: ZemaSource, start: float, length: float
) -> None:
    window = seconds(start, start + length)
    whole = native.read("zema", seconds(0, 600))
    for name, signal in native.read("zema", window).items():
        step = timedelta(seconds=1) / signal.rate_hz
        times = [EPOCH + i * step for i in range(int(130 * signal.rate_hz))]
        inside = [i for i, time in enumerate(times) if window.start <= time < window.end]
        np.testing.assert_array_equal(signal.values, whole[name].values[inside])


def test_adjacent_windows_neither_share_nor_lose_a_sample(native: ZemaSource) -> None:
    cuts = [0, 0.3333, 7.77, 61.5, 120]
    parts = [native.read("zema", seconds(*pair)) for pair in itertools.pairwise(cuts)]
    for name, signal in native.read("zema", seconds(0, 120)).items():
        joined = np.concatenate([part[name].values for part in parts])
        np.testing.assert_array_equal(joined, signal.values)


def test_what_is_read_may_be_changed_without_harm(native: ZemaSource) -> None:
    window = seconds(0, 1)
    before = native.read("zema", window)["PS1"].values.copy()
    native.read("zema", window)["PS1"].values[:] = 0
    np.testing.assert_array_equal(native.read("zema", window)["PS1"].values, before)


def test_a_window_beyond_the_recording_is_refused(native: ZemaSource) -> None:
    with pytest.raises(ValueError, match=r"no telemetry of 'zema' in .*00:11.*; recorded: .*00:10"):
        native.read("zema", seconds(590, 660))


def test_another_machine_is_refused(native: ZemaSource) -> None:
    for ask in (native.extents, native.labels, lambda name: native.read(name, seconds(0, 1))):
        with pytest.raises(ValueError, match="no machine 'press'; there is: 'zema'"):
            ask("press")


def test_the_embedded_labels_are_bit_for_bit_those_of_the_original_profile(
    embedded: ZemaSource,
) -> None:
    labels = embedded.labels("zema")[["cooler", "valve", "pump", "accumulator", "stable"]]
    lines = ["\t".join(f"{value:g}" for value in row) for row in labels.to_numpy()]
    content = "".join(f"{line}\n" for line in lines).encode()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content)
    assert blob.hexdigest() == "2e6d48cf40bf129168f9e5fca316279be8d00c47"


def test_the_labels_cover_each_cycle_and_name_its_condition(embedded: ZemaSource) -> None:
    labels = embedded.labels("zema")
    assert list(labels.columns[:2]) == ["start", "end"]
    assert (labels["end"] - labels["start"]).dt.total_seconds().unique().tolist() == [60]
    assert labels["start"][2] == EPOCH + timedelta(minutes=2)
    assert labels["condition"].nunique() == 144
    row = labels.iloc[2204]
    assert row["condition"] == "/".join(
        f"{row[name]:g}" for name in ("cooler", "valve", "pump", "accumulator")
    )


def test_no_condition_occurs_in_two_folds(embedded: ZemaSource) -> None:
    labels = embedded.labels("zema")
    assert (labels.groupby("condition")["unseen_condition_fold"].nunique() == 1).all()
    with (ASSETS / "unseen_condition_folds.csv").open() as file:
        folds = {int(row["cycle"]): int(row["fold"]) for row in csv.DictReader(file)}
    assert labels["unseen_condition_fold"].to_dict() == folds
    assert set(folds.values()) == set(range(5))


def test_a_part_of_the_set_has_the_labels_of_its_own_lines_and_no_folds(
    embedded: ZemaSource, native: ZemaSource
) -> None:
    labels = native.labels("zema")
    assert "unseen_condition_fold" not in labels
    whole = embedded.labels("zema").iloc[NATIVE_ROWS].reset_index(drop=True)
    shared = ["cooler", "valve", "pump", "accumulator", "stable", "condition"]
    assert labels[shared].equals(whole[shared])


def test_the_fingerprint_tells_contents_apart_and_is_stable(
    embedded: ZemaSource, native: ZemaSource
) -> None:
    assert ZemaSource().fingerprint == embedded.fingerprint
    assert ZemaSource(str(NATIVE)).fingerprint == native.fingerprint
    assert native.fingerprint != embedded.fingerprint


def test_a_folder_that_is_not_there_is_named_with_the_files_it_should_hold(
    tmp_path: Path,
) -> None:
    with pytest.raises(SpecError) as error:
        ZemaSource(tmp_path / "absent")
    assert str(error.value).startswith(f"{tmp_path / 'absent'}: 18 errors")
    assert "PS1.txt: no such file" in str(error.value)
