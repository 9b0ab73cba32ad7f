"""Gaps and outliers, against pandas and loops over single samples."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hydrascope.features.cleaning import clean, fill_gaps, without_outliers
from hydrascope.features.config import CleaningConfig, Fill

NAN = math.nan
FILLS = [Fill.FORWARD, Fill.BACKWARD, Fill.INTERPOLATE]

signals = st.lists(st.one_of(st.floats(-1e3, 1e3), st.just(NAN), st.just(NAN)), max_size=40)


def same(a: Tensor, b: object) -> None:
    np.testing.assert_allclose(a.numpy(), np.asarray(b, dtype=np.float64), rtol=1e-12, atol=1e-9)


def by_pandas(values: list[float], fill: Fill) -> pd.Series:
    series = pd.Series(values, dtype="float64")
    match fill:
        case Fill.FORWARD:
            return series.ffill()
        case Fill.BACKWARD:
            return series.bfill()
    return series.interpolate(limit_area="inside")


def gap_lengths(values: list[float]) -> list[int]:
    """Length of the gap that each sample is in, 0 for a valid one."""
    lengths = []
    for i, value in enumerate(values):
        first = last = i
        while first > 0 and math.isnan(values[first - 1]):
            first -= 1
        while last < len(values) - 1 and math.isnan(values[last + 1]):
            last += 1
        lengths.append(last - first + 1 if math.isnan(value) else 0)
    return lengths


@pytest.mark.parametrize("fill", FILLS)
@given(values=signals)
def test_without_a_limit_gaps_are_filled_as_pandas_does(fill: Fill, values: list[float]) -> None:
    filled = fill_gaps(torch.tensor(values, dtype=torch.float64), fill, None)
    same(filled, by_pandas(values, fill))


@pytest.mark.parametrize("fill", FILLS)
@given(values=signals, max_gap=st.integers(0, 5))
def test_a_gap_longer_than_the_limit_stays_whole(
    fill: Fill, values: list[float], max_gap: int
) -> None:
    filled = fill_gaps(torch.tensor(values, dtype=torch.float64), fill, max_gap)
    short = np.array(gap_lengths(values), dtype=int) <= max_gap
    same(filled, by_pandas(values, fill).where(short))


@pytest.mark.parametrize("fill", list(Fill))
def test_every_signal_of_a_batch_is_filled_by_itself(fill: Fill) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 50, generator=generator)
    x[torch.rand(x.shape, generator=generator) < 0.4] = NAN
    batch = fill_gaps(x, fill, 2)
    for i in range(3):
        for j in range(4):
            torch.testing.assert_close(batch[i, j], fill_gaps(x[i, j], fill, 2), equal_nan=True)


def test_masking_leaves_everything_as_it_is() -> None:
    x = torch.tensor([1.0, NAN, 3.0])
    torch.testing.assert_close(fill_gaps(x, Fill.MASK, 5), x, equal_nan=True)


def outliers_by_hand(values: list[float], threshold: float) -> list[float]:
    valid = [value for value in values if math.isfinite(value)]
    if not valid:
        return values
    median = statistics.median(valid)
    mad = statistics.median(abs(value - median) for value in valid)
    return [
        NAN if mad > 0 and 0.6745 * abs(value - median) / mad > threshold else value
        for value in values
    ]


@given(
    st.lists(st.one_of(st.integers(-20, 20).map(float), st.just(NAN)), max_size=30),
    st.sampled_from([0.5, 2.0, 3.5]),
)
def test_outliers_are_those_that_the_rule_names(values: list[float], threshold: float) -> None:
    found = without_outliers(torch.tensor(values, dtype=torch.float64), threshold)
    same(found, outliers_by_hand(values, threshold))


def test_a_spike_on_a_noisy_signal_goes_and_the_noise_stays() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    x[500] = 50.0
    found = without_outliers(x, 5.0)
    assert found.isnan().nonzero().flatten().tolist() == [500]


def test_of_a_signal_that_is_mostly_constant_nothing_is_an_outlier() -> None:
    x = torch.tensor([0.0] * 9 + [1.0])
    assert not without_outliers(x, 3.5).isnan().any()


def test_outliers_go_before_gaps_are_filled_and_seconds_become_samples() -> None:
    x = torch.tensor([1.0, 2.0, 900.0, 4.0, 5.0, NAN, NAN, NAN, NAN, 10.0, 11.0])
    config = CleaningConfig(fill=Fill.INTERPOLATE, max_gap_s=0.3, outlier_threshold=10.0)
    cleaned = clean(x, config, rate_hz=10.0)
    expected = [1, 2, 3, 4, 5, NAN, NAN, NAN, NAN, 10, 11]
    np.testing.assert_allclose(cleaned, expected, rtol=1e-6)
    same(clean(x, config, rate_hz=14.0)[5:9].double(), [6, 7, 8, 9])


@pytest.mark.parametrize("fill", list(Fill))
def test_what_was_given_is_not_changed(fill: Fill) -> None:
    x = torch.tensor([NAN, 1.0, NAN, 2.0, 100.0, 3.0, NAN, math.inf, 2.0])
    before = x.clone()
    clean(x, CleaningConfig(fill=fill, max_gap_s=9.0, outlier_threshold=3.5), 1.0)
    torch.testing.assert_close(x, before, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_empty_and_missing_signals_stay_what_they_are(dtype: torch.dtype) -> None:
    config = CleaningConfig(fill=Fill.FORWARD, outlier_threshold=3.5)
    assert clean(torch.empty(3, 0, dtype=dtype), config, 1.0).shape == (3, 0)
    missing = clean(torch.full((3, 5), NAN, dtype=dtype), config, 1.0)
    assert missing.isnan().all()
    assert missing.dtype == dtype
