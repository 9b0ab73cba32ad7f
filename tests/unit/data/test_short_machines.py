"""Machines shorter than a window, last windows, and the windows that are judged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from rig_parts import RigParts, cycles, direct

from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.recorded_window import recorded_window
from hydrascope.data.split_spec import SplitSpec
from hydrascope.data.windows import plan_machines
from hydrascope.features.config import Short
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec, sub_windows
from hydrascope.schemas import SpecError, TaskSpec, TimeWindow
from hydrascope.telemetry import Signal, ZemaSource

START = datetime(1970, 1, 1, tzinfo=UTC)
TWO_CYCLES = WindowSpec(window_s=120.0, stride_s=120.0, steps=4)


def stretch(first_s: float, last_s: float) -> TimeWindow:
    return TimeWindow(
        start=START + timedelta(seconds=first_s), end=START + timedelta(seconds=last_s)
    )


@pytest.fixture(scope="module")
def source(zema: ZemaSource) -> RigParts:
    """Two machines of 40 cycles, and two that are never recorded for two cycles on end."""
    return RigParts(
        zema,
        {
            "long": [cycles(0, 40)],
            "brief": [stretch(6000, 6030), stretch(6100, 6190)],
            "longer": [cycles(200, 40)],
            "tiny": [stretch(30000, 30020)],
        },
    )


def read(
    source: RigParts,
    engineer: FeatureEngineer,
    task: TaskSpec,
    folder: Path,
    short: Short,
    split: SplitSpec,
) -> HydraulicDataModule:
    return HydraulicDataModule(
        source,
        TWO_CYCLES,
        engineer,
        task,
        store=StoreConfig(folder),
        split=split,
        loader=DataLoaderConfig(batch_size=4),
        short=short,
    )


def test_all_short_machines_are_named_at_once(source: RigParts) -> None:
    with pytest.raises(SpecError, match=r"of brief, tiny lasts 120 s .*\(2 of 4 machines\).*=skip"):
        plan_machines(source, source.machines(), TWO_CYCLES, "stop")


def test_nothing_is_left_if_all_machines_are_skipped(source: RigParts) -> None:
    with pytest.raises(SpecError, match=r"lasts 7200 s without a gap \(4 of 4"):
        plan_machines(source, source.machines(), WindowSpec(7200.0, 60.0, 10), "skip")


def test_skipped_machines_are_counted_and_named_even_if_a_list_names_them(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, tmp_path: Path
) -> None:
    # The first 20 minutes of all machines, the next 20 of "long", and "longer".
    times = ["1970-01-01T00:00Z/1970-01-01T00:20Z", "1970-01-01T00:20Z/1970-01-01T00:40Z"]
    parts = {"train": ["brief", times[0]], "val": ["tiny", times[1]], "test": ["longer"]}
    split = SplitSpec("column", 5, 0, 0.2, window_s=120.0, parts=parts)
    data = read(source, engineer, task, tmp_path, "skip", split)
    data.plan()
    assert list(data.machines) == ["long", "longer"]
    expected = "data.window.short=skip: 2 of 4 machines have no recording as long as a window: "
    assert expected + "brief, tiny" in data.remarks()
    assert [len(part) for part in data.split] == [10, 10, 20]


def test_a_padded_machine_has_one_window_that_ends_with_its_longest_recording(
    source: RigParts, engineer: FeatureEngineer
) -> None:
    plans, brief = plan_machines(source, source.machines(), TWO_CYCLES, "pad")
    assert brief == ["brief", "tiny"]
    plan = plans[1]
    assert len(plan) == 1
    assert plan.starts()[0] == START + timedelta(seconds=6190 - 120)
    padded = direct(source, plan.machine, plan.spec, engineer)
    assert not padded.observed[-1][:, 0].any()  # the first 30 s are missing
    assert padded.observed[-1][:, 1:].all()


def test_what_is_recorded_of_a_padded_window_is_as_in_a_whole_one(
    zema: ZemaSource, source: RigParts, engineer: FeatureEngineer
) -> None:
    plans, _ = plan_machines(source, source.machines(), TWO_CYCLES, "pad")
    padded = direct(source, plans[1].machine, plans[1].spec, engineer)
    whole = RigParts(zema, {"brief": [stretch(6070, 6190)]})
    alone = direct(whole, plans[1].machine, TWO_CYCLES, engineer)
    torch.testing.assert_close(padded.features[-1][:, 1:], alone.features[0][:, 1:])


def test_the_telemetry_of_a_padded_window_is_missing_before_its_recording(
    source: RigParts,
) -> None:
    start = START + timedelta(seconds=6190 - 120)
    for signal in recorded_window(source, "brief", start, 120.0).values():
        assert len(signal.values) == 120 * signal.rate_hz
        assert np.isnan(signal.values[: int(30 * signal.rate_hz)]).all()
        assert np.isfinite(signal.values[int(30 * signal.rate_hz) :]).all()


@pytest.mark.parametrize(
    ("extent_s", "starts_s"),
    [(600.0, [0, 250, 500]), (599.0, [0, 250, 499]), (100.0, [0]), (99.0, [])],
)
def test_a_last_window_ends_with_the_recording(extent_s: float, starts_s: list[float]) -> None:
    spec = WindowSpec(window_s=100.0, stride_s=250.0, steps=10, last=True)
    extent = stretch(0, extent_s)
    assert spec.count(extent) == len(starts_s)
    assert spec.starts_s(extent).tolist() == starts_s
    parts = [spec.starts_s(extent, row, row + 1) for row in range(len(starts_s))]
    assert [float(part[0]) for part in parts] == starts_s


def test_samples_before_a_signal_are_missing() -> None:
    values = Signal(np.arange(30, dtype=np.float32), 1.0)
    cut = sub_windows(values, np.array([-10.0]), WindowSpec(40.0, 40.0, 2, padded=True))
    assert cut[0, 0, :10].isnan().all()
    assert cut[0, 0, 10:].tolist() == list(range(10))
    assert cut[0, 1].tolist() == list(range(10, 30))


def test_the_last_test_window_of_each_machine_can_be_judged_alone(
    source: RigParts, engineer: FeatureEngineer, task: TaskSpec, tmp_path: Path
) -> None:
    data = read(
        source, engineer, task, tmp_path, "skip", SplitSpec("chronological", 5, 0, 0.2, test="last")
    )
    data.plan()
    assert data.split.test.tolist() == [19, 39]
    assert data.table["start"].iloc[19] == START + timedelta(minutes=38)
