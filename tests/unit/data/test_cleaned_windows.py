"""Windows are cleaned as wholes, each by itself."""

import numpy as np
import torch

from hydrascope.features.cleaning import clean
from hydrascope.features.config import CleaningConfig, Fill
from hydrascope.features.sub_windows import WindowSpec, sub_windows
from hydrascope.telemetry import Signal

FORWARD = CleaningConfig(fill=Fill.FORWARD, max_gap_s=0.5)
BACKWARD = CleaningConfig(fill=Fill.BACKWARD, max_gap_s=0.5)


def signal(rate_hz: float = 10.0) -> Signal:
    """20 s of noise, a tenth of it missing."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=round(20 * rate_hz)).astype(np.float32)
    values[rng.random(len(values)) < 0.1] = np.nan
    return Signal(values, rate_hz)


def test_cleaning_that_does_nothing_cuts_as_before() -> None:
    spec, starts_s = WindowSpec(6.0, 1.3, 7), np.arange(10) * 1.3
    plain = sub_windows(signal(), starts_s, spec)
    everything_kept = CleaningConfig(outlier_threshold=1e9)
    torch.testing.assert_close(
        sub_windows(signal(), starts_s, spec, everything_kept),
        plain,
        rtol=0,
        atol=0,
        equal_nan=True,
    )


def test_a_gap_is_filled_across_sub_windows_but_never_from_another_window() -> None:
    values = np.arange(40, dtype=np.float32)
    values[[9, 10, 19, 20]] = np.nan  # across a sub-window's and across a window's border
    spec, starts_s = WindowSpec(2.0, 2.0, 2), np.array([0.0, 2.0])
    recorded = Signal(values, 10.0)
    forward = sub_windows(recorded, starts_s, spec, FORWARD).flatten(1)
    assert forward[0, [9, 10, 19]].tolist() == [8, 8, 18]
    assert torch.isnan(forward[1, 0])
    backward = sub_windows(recorded, starts_s, spec, BACKWARD).flatten(1)
    assert backward[0, [9, 10]].tolist() == [11, 11]
    assert torch.isnan(backward[0, 19])
    assert backward[1, 0] == 21


def test_every_window_holds_what_cleaning_it_alone_gives() -> None:
    # 6.3 s in 7 steps at 10 Hz: 9 samples each; starts between samples shift the cuts by one.
    spec, recorded = WindowSpec(6.3, 0.77, 7), signal()
    starts_s = np.arange(15) * 0.77
    config = CleaningConfig(fill=Fill.INTERPOLATE, max_gap_s=0.2, outlier_threshold=2.0)
    cut = sub_windows(recorded, starts_s, spec, config)
    for row, start_s in enumerate(starts_s):
        first = [int(np.floor((start_s + step * 0.9) * 10 + 1e-6)) for step in range(7)]
        whole = torch.from_numpy(recorded.values[first[0] : first[-1] + 9].copy())
        cleaned = clean(whole, config, 10.0)
        for step, begin in enumerate(first):
            expected = cleaned[begin - first[0] : begin - first[0] + 9]
            torch.testing.assert_close(cut[row, step], expected, rtol=0, atol=0, equal_nan=True)
