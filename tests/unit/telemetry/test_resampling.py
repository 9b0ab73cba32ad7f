"""Regular instants, against loops over single samples and against pandas."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hydrascope.telemetry.resampling import ResampleMethod, instants, resample

PERIOD_US = 100_000.0
"""Of a sensor of 10 Hz."""
NAN = float("nan")


def at(
    method: str,
    times_s: list[float],
    values: list[float],
    count: int,
    rate_hz: float = 10,
    hold_s: float | None = None,
) -> list[float]:
    """Resample a sensor of 10 Hz at 0, 1 / rate_hz …"""
    return resample(
        np.rint(np.array(times_s) * 1e6).astype(np.int64),
        np.array(values, dtype=np.float32),
        instants(0, 0, round(count / rate_hz * 1e6), rate_hz),
        period_us=PERIOD_US,
        rate_hz=rate_hz,
        method=ResampleMethod(method),
        hold_us=None if hold_s is None else round(hold_s * 1e6),
    ).tolist()


@pytest.mark.parametrize("method", list(ResampleMethod))
def test_samples_on_their_instants_stay_bit_for_bit(method: str) -> None:
    values = np.random.default_rng(0).normal(size=50).astype(np.float32).tolist()
    assert at(method, [i / 10 for i in range(50)], values, 50) == values


@pytest.mark.parametrize("method", ["interpolate", "mean"])
def test_a_missing_sample_stays_missing_and_takes_no_neighbour_with_it(method: str) -> None:
    result = at(method, [0, 0.1, 0.3, 0.4], [1, 2, 4, 5], 5)
    np.testing.assert_array_equal(result, [1, 2, NAN, 4, 5])


def test_interpolation_undoes_phase_and_jitter() -> None:
    jitter = np.random.default_rng(1).uniform(-0.02, 0.02, 100)
    times = np.arange(100) / 10 + 0.03 + jitter
    result = at("interpolate", times.tolist(), (2 * times).tolist(), 99)
    np.testing.assert_allclose(result[1:], 2 * np.arange(1, 99) / 10, atol=1e-5)


def test_beside_a_gap_the_sample_within_half_a_period_counts() -> None:
    result = at("interpolate", [0.02, 0.12, 0.52, 0.62], [1, 2, 5, 6], 8)
    np.testing.assert_allclose(result, [1, 1.8, NAN, NAN, NAN, 5, 5.8, NAN], rtol=1e-6)


def test_the_mean_takes_jittered_samples_to_their_own_instant() -> None:
    result = at("mean", [0.0, 0.098, 0.203, 0.299], [1, 2, 3, 4], 4)
    assert result == [1, 2, 3, 4]


def test_the_mean_at_a_lower_rate_is_that_of_the_samples_of_each_period() -> None:
    values = np.random.default_rng(2).normal(size=100).astype(np.float32)
    result = at("mean", [i / 10 for i in range(100)], values.tolist(), 10, rate_hz=1)
    index = pd.to_datetime(np.arange(100) * 100, unit="ms")
    expected = pd.Series(values.astype(np.float64), index).resample("1s").mean()
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_the_mean_at_a_higher_rate_is_the_sample_nearest_in_time() -> None:
    result = at("mean", [0.0, 0.1, 0.2], [1, 2, 3], 9, rate_hz=40)
    assert result[::4] == [1, 2, 3]
    assert set(result) == {1, 2, 3}


def test_hold_repeats_a_sample_until_the_next_or_until_it_is_too_old() -> None:
    result = at("hold", [0.0, 0.35], [7, 8], 8, hold_s=0.2)
    np.testing.assert_array_equal(result, [7, 7, 7, NAN, 8, 8, NAN, NAN])


@pytest.mark.parametrize("method", list(ResampleMethod))
def test_nothing_recorded_is_all_missing(method: str) -> None:
    assert np.isnan(at(method, [], [], 5)).all()


def by_hand(
    method: str, times: NDArray[np.int64], values: NDArray[np.float32], instant: float
) -> float:
    """Resample one instant of a sensor of 10 Hz to 10 Hz, by the sentences of the module."""
    if method == "hold":
        held = [v for t, v in zip(times, values, strict=True) if 0 <= instant - t <= 150_000]
        return float(held[-1]) if held else NAN
    if method == "mean":
        near = [
            float(v) for t, v in zip(times, values, strict=True) if -50_000 <= t - instant < 50_000
        ]
        return sum(near) / len(near) if near else NAN
    before, after = times[times <= instant], times[times > instant]
    left = float(values[len(before) - 1]) if len(before) else NAN
    right = float(values[len(before)]) if len(after) else NAN
    if len(before) and before[-1] == instant:
        return left
    if len(before) and len(after) and after[0] - before[-1] <= 150_000:
        weight = (instant - before[-1]) / (after[0] - before[-1])
        return left * (1 - weight) + right * weight
    if len(before) and instant - before[-1] < 50_000:
        return left
    if len(after) and after[0] - instant <= 50_000:
        return right
    return NAN


@given(
    st.sets(st.integers(0, 200).map(lambda i: i * 10_000), min_size=1, max_size=40),
    st.sampled_from(list(ResampleMethod)),
)
def test_any_times_give_what_a_loop_over_instants_gives(
    times: set[int], method: ResampleMethod
) -> None:
    time_us = np.array(sorted(times), dtype=np.int64)
    value = np.sin(time_us / 3e5).astype(np.float32)
    grid = instants(0, 0, 2_000_000, 10)
    result = resample(
        time_us, value, grid, period_us=PERIOD_US, rate_hz=10, method=method, hold_us=None
    )
    expected = [by_hand(method, time_us, value, t) for t in grid.tolist()]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [0.1, 1, 3, 7.5, 100])
def test_instants_of_adjacent_windows_neither_repeat_nor_skip(rate_hz: float) -> None:
    start = 1_714_564_800_000_000
    whole = instants(start, start, start + 3_600_000_000, rate_hz)
    cuts = [start + s for s in (0, 10_000_000, 333_333, 60_000_000, 1_234_567_890)]
    cuts = [*sorted(cuts), start + 3_600_000_000]
    parts = [instants(start, a, b, rate_hz) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(whole) == round(3600 * rate_hz)
