"""Windows, sub-windows and labels, against loops in exact arithmetic."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from rig_parts import RigParts, cycles, direct

from hydrascope.data.windows import join_tables
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec, sub_windows
from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.telemetry import Signal, ZemaSource

START = datetime(2024, 5, 1, tzinfo=UTC)
CYCLES = WindowSpec(window_s=60.0, stride_s=60.0, steps=10)


def signal(duration_s: float, rate_hz: float) -> Signal:
    """Each sample's value is its number."""
    return Signal(np.arange(int(duration_s * rate_hz), dtype=np.float32), rate_hz)


def samples_by_hand(
    count: int, rate_hz: Fraction, start_s: Fraction, length_s: Fraction
) -> list[float]:
    """Numbers of the samples of one sub-window: as many as fit, from the one held at its start."""
    first = 0
    while (first + 1) / rate_hz <= start_s:
        first += 1
    fitting = 1
    while (fitting + 1) / rate_hz <= length_s:
        fitting += 1
    return [i if i < count else float("nan") for i in range(first, first + fitting)]


@pytest.mark.parametrize("rate_hz", ["100", "10", "1", "0.5"])
@pytest.mark.parametrize(
    ("window_s", "stride_s", "steps"),
    [("60", "60", 10), ("60", "45", 7), ("10", "3.3", 13), ("2.5", "2.5", 4)],
)
def test_sub_windows_equal_a_loop_over_samples(
    rate_hz: str, window_s: str, stride_s: str, steps: int
) -> None:
    spec = WindowSpec(float(window_s), float(stride_s), steps)
    recorded = signal(130, float(rate_hz))
    starts = [k * Fraction(stride_s) for k in range(int((130 - 60) / float(stride_s)))]
    starts = [starts[0], starts[len(starts) // 2], starts[-1]] if len(starts) > 3 else starts
    cut = sub_windows(recorded, np.array([float(start) for start in starts]), spec)
    step_s = Fraction(window_s) / steps
    expected = [
        [
            samples_by_hand(len(recorded.values), Fraction(rate_hz), start + step * step_s, step_s)
            for step in range(steps)
        ]
        for start in starts
    ]
    np.testing.assert_array_equal(cut.numpy(), np.array(expected, dtype=np.float32))


def test_a_slow_sensor_gives_its_last_sample_before_each_sub_window() -> None:
    # One sample every 20 s, sub-windows of 6 s.
    held = sub_windows(signal(60, 0.05), np.array([0.0]), CYCLES)
    assert held.shape == (1, 10, 1)
    assert held.flatten().tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_samples_past_the_end_of_a_signal_are_missing() -> None:
    cut = sub_windows(signal(63, 1.0), np.array([0.0, 60.0]), CYCLES)
    assert torch.isfinite(cut[0]).all()
    assert cut[1, 0, :3].tolist() == [60, 61, 62]
    assert cut[1, 0, 3:].isnan().all()
    assert cut[1, 1:].isnan().all()


def test_rounding_never_shifts_the_samples_of_a_long_recording() -> None:
    # Four hours of windows of 0.1 s: neither 0.1 nor its multiples are exact in binary.
    spec = WindowSpec(window_s=0.1, stride_s=0.1, steps=1)
    hours = timedelta(hours=4)
    starts_s = spec.starts_s(TimeWindow(start=START, end=START + hours))
    cut = sub_windows(signal(hours.total_seconds(), 100.0), starts_s, spec)
    expected = np.arange(144_000 * 10, dtype=np.float32).reshape(144_000, 1, 10)
    np.testing.assert_array_equal(cut.numpy(), expected)


@pytest.mark.parametrize(
    ("window_s", "stride_s", "extent_s"),
    [
        ("60", "60", "600"),
        ("60", "7", "600"),
        ("60", "60", "659.999"),
        ("0.3", "0.1", "1"),  # 1 − 0.3 is not 7 · 0.1 in binary
        ("60", "1", "60"),
        ("60", "1", "59.999"),
        ("1", "2.5", "20"),
    ],
)
def test_whole_windows_start_every_stride_as_long_as_they_fit(
    window_s: str, stride_s: str, extent_s: str
) -> None:
    expected, start = [], Fraction(0)
    while start + Fraction(window_s) <= Fraction(extent_s):
        expected.append(float(start))
        start += Fraction(stride_s)
    extent = TimeWindow(start=START, end=START + timedelta(seconds=float(extent_s)))
    starts_s = WindowSpec(float(window_s), float(stride_s), 10).starts_s(extent)
    np.testing.assert_allclose(starts_s, expected, rtol=0, atol=1e-9)


def test_no_window_spans_a_gap_and_each_equals_the_same_window_read_alone(
    zema: ZemaSource, engineer: FeatureEngineer
) -> None:
    source = RigParts(zema, {"rig": [cycles(0, 3), cycles(10, 2)]})
    machine = source.machines()["rig"]
    spec = WindowSpec(window_s=60.0, stride_s=45.0, steps=10)
    windows = direct(source, machine, spec, engineer)
    starts_s = [start.timestamp() for start in windows.table["start"]]
    assert starts_s == [0, 45, 90, 600, 645]
    for number, start_s in enumerate(starts_s):
        begin = datetime.fromtimestamp(start_s, UTC)
        stretch = TimeWindow(start=begin, end=begin + timedelta(seconds=spec.window_s))
        alone = RigParts(zema, {"rig": [stretch]})
        one = direct(alone, machine, spec, engineer)
        torch.testing.assert_close(one.features[0], windows.features[number], rtol=1e-6, atol=1e-6)
        assert torch.equal(one.observed[0], windows.observed[number])


def test_telemetry_shorter_than_a_window_is_refused(
    zema: ZemaSource, engineer: FeatureEngineer
) -> None:
    source = RigParts(zema, {"rig": [cycles(0, 1), cycles(5, 1)]})
    spec = WindowSpec(window_s=61.0, stride_s=60.0, steps=10)
    with pytest.raises(SpecError, match=r"data.window.window_s: no telemetry of rig lasts 61"):
        direct(source, source.machines()["rig"], spec, engineer)


def test_a_window_has_the_label_in_force_at_its_end(
    zema: ZemaSource, engineer: FeatureEngineer
) -> None:
    spec = WindowSpec(window_s=60.0, stride_s=20.0, steps=10)

    def with_gap(labels: pd.DataFrame) -> pd.DataFrame:
        kept = labels.iloc[[4, 0, 3, 1]].copy()  # cycle 2 is not labelled; order does not matter
        kept["grade"] = [40.0, 0.0, float("nan"), 10.0]
        return kept[["start", "end", "grade", "condition"]]

    source = RigParts(zema, {"rig": [cycles(0, 6)]}, relabel={"rig": with_gap})
    table = direct(source, source.machines()["rig"], spec, engineer).table
    labels = with_gap(zema.labels(zema.equipment_id))
    for window in table.itertuples():
        last = window.start + pd.Timedelta(seconds=60) - pd.Timedelta(microseconds=1)
        held = [row for row in labels.itertuples() if row.start <= last < row.end]
        grade = held[0].grade if held else float("nan")
        np.testing.assert_equal(window.grade, grade)
        assert pd.isna(window.condition) if not held else window.condition == held[0].condition
    # [0, 60) ends in cycle 0; [20, 80) in cycle 1; [60, 120) still in cycle 1.
    np.testing.assert_equal(table["grade"].tolist()[:5], [0.0, 10.0, 10.0, 10.0, np.nan])


@pytest.mark.parametrize("typed", [True, False])
def test_an_unlabelled_machine_has_windows_without_labels(
    zema: ZemaSource, engineer: FeatureEngineer, typed: bool
) -> None:
    def unlabelled(labels: pd.DataFrame) -> pd.DataFrame:
        return labels.iloc[:0] if typed else pd.DataFrame(columns=["start", "end", "valve"])

    source = RigParts(zema, {"rig": [cycles(0, 3)]}, relabel={"rig": unlabelled})
    table = direct(source, source.machines()["rig"], CYCLES, engineer).table
    assert len(table) == 3
    assert table["valve"].isna().all()


def test_labels_in_another_time_zone_are_joined_by_the_instant(
    zema: ZemaSource, engineer: FeatureEngineer
) -> None:
    def local(labels: pd.DataFrame) -> pd.DataFrame:
        return labels.assign(
            start=labels["start"].dt.tz_convert("Europe/Berlin"),
            end=labels["end"].dt.tz_convert("Europe/Berlin"),
        )

    stretch = {"rig": [cycles(730, 4)]}  # the cooler's grade changes here
    machine = RigParts(zema, stretch).machines()["rig"]
    there = direct(RigParts(zema, stretch, relabel={"rig": local}), machine, CYCLES, engineer)
    here = direct(RigParts(zema, stretch), machine, CYCLES, engineer)
    assert here.table["cooler"].nunique() > 1
    pd.testing.assert_frame_equal(there.table, here.table)


def test_tables_are_joined_in_their_order_whatever_columns_they_have() -> None:
    columns = (["a", "b"], ["a", "b"], ["b", "c", "d"], ["a", "b", "d"], ["b", "e"])
    values = {"a": 1.5, "b": np.nan, "c": 3, "d": 4.0, "e": "worn"}
    tables = [pd.DataFrame({name: [values[name], None] for name in names}) for names in columns]
    tables[3]["d"] = ["four", "five"]  # numbers elsewhere
    tables[4]["c"] = [5, 6]
    pd.testing.assert_frame_equal(join_tables(tables), pd.concat(tables, ignore_index=True))
