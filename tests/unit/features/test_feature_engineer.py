import pickle
import platform
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from hydrascope.features import window as window_module
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer

ALL_GROUPS = FeatureConfig(frequency=True, temporal=True, patch_length=16)
ENGINEER = FeatureEngineer(ALL_GROUPS)
COLUMN = {name: i for i, name in enumerate(ENGINEER.feature_names)}
MAGNITUDES = (0.0, 1e-45, 1e-38, 1e-30, 1e-6, 1.0, 1e6, 1e30, 3e38)


def assert_sound(features: Tensor) -> None:
    assert torch.isfinite(features).all()
    std, entropy = features[..., COLUMN["std"]], features[..., COLUMN["spectral_entropy"]]
    assert (std >= 0).all()
    assert ((entropy >= 0) & (entropy <= 1)).all()
    lags = [COLUMN[f"autocorrelation_{lag}"] for lag in ALL_GROUPS.autocorrelation_lags]
    assert (features[..., lags].abs() <= 1 + 1e-5).all()
    rising = ["min", *(f"percentile_{p:g}" for p in ALL_GROUPS.percentiles), "max"]
    assert (features[..., [COLUMN[name] for name in rising]].diff(dim=-1) >= 0).all()


@settings(deadline=None, max_examples=100)
@given(
    length=st.integers(0, 2000),
    magnitude=st.sampled_from(MAGNITUDES),
    level=st.sampled_from(MAGNITUDES),
    missing_share=st.sampled_from((0.0, 0.02, 0.5, 0.95, 1.0)),
    missing=st.sampled_from((float("nan"), float("inf"), float("-inf"))),
    dtype=st.sampled_from((torch.float32, torch.float64)),
    seed=st.integers(0, 2**31),
)
def test_no_signal_gives_nan_or_an_exception(
    length: int,
    magnitude: float,
    level: float,
    missing_share: float,
    missing: float,
    dtype: torch.dtype,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = level + magnitude * rng.uniform(-1, 1, (3, length))
    x[rng.random(x.shape) < missing_share] = missing
    signal = torch.from_numpy(x).to(dtype)
    features = ENGINEER(signal, 100.0)
    assert features.shape == (3, ENGINEER.num_features)
    assert features.dtype == dtype
    assert_sound(features)


@settings(deadline=None, max_examples=100)
@given(
    arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32))
    | arrays(np.float64, st.integers(0, 40), elements=st.floats())
)
def test_no_handful_of_floats_gives_nan_or_an_exception(x: np.ndarray) -> None:
    assert_sound(ENGINEER(torch.from_numpy(x), 1e5))


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e300, 1e300)), st.integers(1, 4000)
)
def test_a_window_without_gaps_gets_the_same_numbers_on_both_paths(
    x: np.ndarray, rate_hz: int
) -> None:
    signal = torch.from_numpy(x)
    fast, general = window_module._complete(signal), window_module._with_gaps(signal)
    torch.testing.assert_close(fast, general, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -273.15, 1e-42, 1e30, 3.4e38])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_signal_is_exactly_constant(value: float, dtype: torch.dtype) -> None:
    x = torch.full((999,), value, dtype=dtype)
    features = ENGINEER(x, 100.0)
    level = ("mean", "min", "max", "percentile", "rolling_mean", "ema", "patch")
    for name, i in COLUMN.items():
        assert features[i].item() == (x[0].item() if name.startswith(level) else 0), name


def test_the_edges_of_a_huge_signal_are_held() -> None:
    x = torch.tensor([torch.nan, torch.nan, torch.nan, 3e38, -3e38, torch.nan, torch.nan])
    patch = FeatureEngineer(FeatureConfig(patch_length=7))(x, 1.0)[-7:]
    assert patch.tolist() == x[[3, 3, 3, 3, 4, 4, 4]].tolist()


@pytest.mark.parametrize("shape", [(0,), (5, 0), (2, 3, 0)])
def test_an_empty_window_gives_zeros(shape: tuple[int, ...]) -> None:
    x = torch.empty(shape)
    assert torch.equal(ENGINEER(x, 1.0), torch.zeros(*shape[:-1], ENGINEER.num_features))
    assert not ENGINEER.observed(x).any()


def test_no_windows_give_no_rows() -> None:
    assert ENGINEER(torch.empty(0, 100), 1.0).shape == (0, ENGINEER.num_features)


def test_a_window_counts_as_observed_when_enough_samples_are_finite() -> None:
    x = torch.zeros(4, 10)
    x[1, :5], x[2, :6], x[3] = float("nan"), float("inf"), float("nan")
    assert ENGINEER.observed(x).tolist() == [True, True, False, False]
    strict = FeatureEngineer(FeatureConfig(min_valid_fraction=1.0))
    assert strict.observed(x).tolist() == [True, False, False, False]


def test_a_window_has_the_same_features_alone_and_in_any_batch() -> None:
    x = torch.randn(2, 3, 4, 150, dtype=torch.float64)
    x[1, 2, 3, 20:40] = torch.nan
    together = ENGINEER(x, 50.0)
    assert together.shape == (2, 3, 4, ENGINEER.num_features)
    alone = torch.stack([ENGINEER(row, 50.0) for row in x.reshape(-1, 150)])
    torch.testing.assert_close(together.reshape(-1, ENGINEER.num_features), alone)


def test_each_window_may_have_its_own_sampling_rate() -> None:
    x = torch.randn(3, 200, dtype=torch.float64)
    rates = torch.tensor([1.0, 10.0, 100.0])
    each = torch.stack([ENGINEER(row, rate) for row, rate in zip(x, rates.tolist(), strict=True)])
    torch.testing.assert_close(ENGINEER(x, rates), each)


def test_float32_agrees_with_float64_even_for_a_ripple_on_a_large_level() -> None:
    t = torch.arange(1000) / 100
    swing = torch.sin(2 * torch.pi * 0.3 * t) * 200 + torch.randn(8, 1000) * 0.05
    for level in (0.0, 1e4):
        x = level + swing
        single, double = ENGINEER(x, 100.0).double(), ENGINEER(x.double(), 100.0)
        torch.testing.assert_close(single, double, rtol=2e-5, atol=2e-4)


def test_what_the_caller_hands_in_is_not_changed() -> None:
    x = torch.randn(3, 50)
    x[0, 3] = torch.nan
    before = x.clone()
    ENGINEER(x, 1.0)
    assert torch.equal(x.nan_to_num(7.0), before.nan_to_num(7.0))


def test_features_can_be_differentiated() -> None:
    x = torch.randn(2, 60, requires_grad=True)
    ENGINEER(x, 1.0).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("samples", [1, 2, 37, 100])
def test_the_exported_program_answers_like_the_engineer_for_any_batch(samples: int) -> None:
    rate = torch.tensor(100.0)
    exported = torch.export.export(
        ENGINEER,
        (torch.randn(4, samples), rate),
        dynamic_shapes={"x": {0: torch.export.Dim("windows")}, "sampling_rate_hz": None},
    ).module()
    for windows in (1, 7):
        x = torch.randn(windows, samples) * 50 + 200
        torch.testing.assert_close(exported(x, rate), ENGINEER(x, rate))
        x[:, samples // 2] = torch.nan
        torch.testing.assert_close(exported(x, rate), ENGINEER(x, rate))


def test_half_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"float16.*float32 or float64"):
        ENGINEER(torch.zeros(5, dtype=torch.float16), 1.0)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_a_sampling_rate_that_is_not_positive_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        ENGINEER(torch.zeros(5), rate_hz)


# Fills blocks of 8 MB, each larger than those before, and says how many pages were mapped for them.
_BLOCKS = """
import pickle, resource, sys, torch
if sys.argv[1:]:
    pickle.loads(bytes.fromhex(sys.argv[1]))
mapped = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for n in range(20):
    torch.ones(2**21 + n * 2**14)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - mapped)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is that of glibc")
def test_a_process_that_was_sent_an_engineer_keeps_the_memory_that_it_frees() -> None:
    def pages(*arguments: str) -> int:
        line = [sys.executable, "-c", _BLOCKS, *arguments]
        return int(subprocess.run(line, check=True, capture_output=True, text=True).stdout)

    block = 2**23 // resource.getpagesize()
    assert pages() > 15 * block  # each is mapped anew
    assert pages(pickle.dumps(ENGINEER).hex()) < 5 * block
