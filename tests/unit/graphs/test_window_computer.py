"""Windows are computed alike for a store and for a service."""

from datetime import timedelta

import numpy as np
import pytest
import torch

from hydrascope.features.config import CleaningConfig, FeatureConfig, Fill
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec, sub_windows
from hydrascope.graphs import window_computer
from hydrascope.graphs.window_computer import WindowComputer
from hydrascope.schemas import TimeWindow
from hydrascope.schemas.signal import Signal
from hydrascope.telemetry import ZemaSource
from hydrascope.telemetry.zema import EPOCH

SPEC = WindowSpec(window_s=60.0, stride_s=60.0, steps=10)
CLEANED = CleaningConfig(fill=Fill.INTERPOLATE, max_gap_s=3.0, outlier_threshold=3.5)


def cycles(source: ZemaSource, first: int, count: int) -> dict[str, Signal]:
    start = EPOCH + timedelta(seconds=60 * first)
    window = TimeWindow(start=start, end=start + timedelta(seconds=60 * count))
    signals = source.read("zema", window)
    signals["PS1"].values[7:9] = np.nan  # a gap in one sensor alone
    return signals


@pytest.mark.parametrize("cleaning", [CleaningConfig(), CLEANED])
def test_sensors_computed_together_are_bit_for_bit_what_each_is_alone(
    zema: ZemaSource, cleaning: CleaningConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    engineer = FeatureEngineer(FeatureConfig(frequency=True, temporal=True, cleaning=cleaning))
    (machine,) = zema.machines().values()
    computer = WindowComputer(machine, engineer, SPEC)
    signals, starts_s = cycles(zema, 3, 4), np.arange(4) * 60.0
    features, observed = computer.features(signals, starts_s)
    for row, (_, sensor) in enumerate(machine.topology.sensors):
        cut = sub_windows(signals[sensor.id], starts_s, SPEC, cleaning)
        assert torch.equal(features[:, row], engineer(cut, 1.0))
        assert torch.equal(observed[:, row], engineer.observed(cut))
    monkeypatch.setattr(window_computer, "SAMPLES_AT_ONCE", 1)  # each sensor by itself
    apart, _ = computer.features(signals, starts_s)
    assert torch.equal(features, apart)


def test_a_window_by_itself_is_bit_for_bit_what_it_is_in_the_whole_recording(
    zema: ZemaSource,
) -> None:
    (machine,) = zema.machines().values()
    computer = WindowComputer(machine, FeatureEngineer(), SPEC)
    together, _ = computer.features(cycles(zema, 100, 5), np.arange(5) * 60.0)
    single, _ = computer.features(cycles(zema, 100, 1), np.zeros(1))
    assert torch.equal(together[:1], single)


def test_a_sensor_that_is_missing_or_empty_is_not_observed(zema: ZemaSource) -> None:
    (machine,) = zema.machines().values()
    computer = WindowComputer(machine, FeatureEngineer(), SPEC)
    signals = cycles(zema, 0, 1)
    del signals["TS1"]
    signals["TS2"] = Signal(np.empty(0, np.float32), 1.0)
    signals["other"] = signals["PS2"]
    features, observed = computer.features(signals, np.zeros(1))
    rows = {sensor.id: row for row, (_, sensor) in enumerate(machine.topology.sensors)}
    gone = [rows["TS1"], rows["TS2"]]
    assert not observed[:, gone].any()
    assert (features[:, gone] == 0).all()
    assert observed[:, rows["PS2"]].all()
