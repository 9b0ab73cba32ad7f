import math

import numpy as np
import pandas as pd
import pytest
import torch
from feature_oracle import Samples, expected_features

from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.frame import extract_all_features

RATE_HZ = 100.0
ALL_GROUPS = FeatureConfig(frequency=True, temporal=True, patch_length=33)


def pump_pressure(n: int, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    t = np.arange(n) / RATE_HZ
    pressure: Samples = 160 + 3 * t + 5 * np.sin(2 * np.pi * 7.3 * t) + rng.gamma(2.0, 1.0, n)
    return pressure


def with_gaps(x: Samples) -> Samples:
    x = np.array(x)
    x[:3] = np.nan
    x[10:25] = np.inf
    x[40::7] = -np.inf
    x[-2:] = np.nan
    return x


SIGNALS = {
    **{f"pressure of {n} samples": pump_pressure(n) for n in (1000, 999, 64, 33, 31, 12, 9, 5, 3)},
    "two samples": np.array([3.0, -1.0]),
    "one sample": np.array([-4.2]),
    "gaps": with_gaps(pump_pressure(200)),
    "two valid samples among missing ones": np.array([np.nan, 2.0, np.nan, np.nan, 5.0, np.nan]),
    "small ripple on a large level": 1e5 + pump_pressure(500) * 1e-3,
    "steps": np.repeat([1.0, 4.0, -2.0, 7.0], 60),
    "ramp": np.linspace(-5, 5, 300) ** 3,
    "skewed": np.random.default_rng(3).lognormal(0, 1, 777),
    "alternating": np.tile([1.0, -1.0], 50) + np.linspace(0, 0.1, 100),
    "tiny": pump_pressure(400) * 1e-290,
    "huge": pump_pressure(400) * 1e290,
    "constant": np.full(100, 0.1),
    "constant with gaps": np.where(np.arange(100) % 3 == 0, np.nan, 0.1),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_every_feature_agrees_with_numpy_scipy_and_pandas(name: str) -> None:
    x = SIGNALS[name]
    # SciPy squares what it is given; it only copes with huge and tiny signals in other units.
    unit = 1e290 if name == "huge" else 1e-290 if name == "tiny" else 1.0
    expected = expected_features(x / unit, RATE_HZ, ALL_GROUPS)
    engineer = FeatureEngineer(ALL_GROUPS)
    actual = dict(
        zip(engineer.feature_names, engineer(torch.from_numpy(x), RATE_HZ).tolist(), strict=True)
    )
    assert actual.keys() == expected.keys()
    dimensionless = ("skewness", "kurtosis", "autocorrelation", "spectral", "dominant")
    swing = np.ptp(x[np.isfinite(x)] / unit)
    for feature, value in actual.items():
        unitless = feature.startswith(dimensionless)
        value = value if unitless else value / unit
        tolerance = 1e-9 if unitless else 1e-9 * swing + 1e-15
        assert value == pytest.approx(expected[feature], rel=1e-6, abs=tolerance), feature


@pytest.mark.parametrize("name", SIGNALS)
def test_levels_are_the_mean_of_what_is_finite_and_its_signed_logarithm(name: str) -> None:
    engineer = FeatureEngineer(FeatureConfig(statistical=False, patch=False, levels=True))
    for x in (SIGNALS[name], -SIGNALS[name]):
        valid = x[np.isfinite(x)]
        mean = math.fsum(valid / len(valid))
        level, logarithm = engineer(torch.from_numpy(x), RATE_HZ).tolist()
        swing = np.ptp(valid)
        assert level == pytest.approx(mean, rel=1e-9, abs=1e-9 * swing)
        expected = math.copysign(math.log1p(abs(mean)), mean)
        assert logarithm == pytest.approx(expected, rel=1e-9, abs=1e-9 * min(swing, 1.0))
    assert engineer.feature_names == ("level", "log_level")


def test_levels_do_not_hang_on_how_many_windows_are_computed_at_once() -> None:
    engineer = FeatureEngineer(FeatureConfig(levels=True))
    x = 300 * torch.rand(1001, 12)
    together = engineer(x, 1.0)
    for row in (0, 7, 500, 1000):
        assert torch.equal(engineer(x[row], 1.0), together[row])


def test_a_sine_that_fits_the_window_has_its_own_amplitude_and_frequency() -> None:
    t = torch.arange(1000, dtype=torch.float64) / RATE_HZ
    engineer = FeatureEngineer(FeatureConfig(frequency=True))
    features = engineer(50 + 3.5 * torch.sin(2 * torch.pi * 12.5 * t), RATE_HZ)
    named = dict(zip(engineer.feature_names, features.tolist(), strict=True))
    assert named["amplitude_1"] == pytest.approx(3.5, rel=1e-9)
    assert named["amplitude_2"] == pytest.approx(0, abs=1e-9)
    assert named["dominant_frequency_hz"] == pytest.approx(12.5)
    assert named["spectral_entropy"] == pytest.approx(0, abs=1e-9)


def test_the_patch_of_a_window_of_its_own_length_is_the_window_itself() -> None:
    x = torch.randn(4, 60)
    engineer = FeatureEngineer(FeatureConfig(statistical=False, patch_length=60))
    assert torch.equal(engineer(x, 1.0), x)


def test_a_table_of_one_machine_gives_one_row_a_sensor() -> None:
    frame = pd.DataFrame({"PS1": pump_pressure(200), "FS1": with_gaps(pump_pressure(200, 1))})
    features = extract_all_features(frame, RATE_HZ)
    assert list(features.index) == ["PS1", "FS1"]
    assert features.shape == (2, 17)
    for sensor in frame:
        expected = expected_features(frame[sensor].to_numpy(), RATE_HZ, FeatureConfig())
        row = dict(zip(features.columns, features.loc[[sensor]].to_numpy()[0], strict=True))
        assert row == pytest.approx({name: expected[name] for name in row}, rel=1e-6, abs=1e-9)


def test_a_column_of_text_is_refused_by_name() -> None:
    frame = pd.DataFrame({"PS1": [1.0, 2.0], "remark": ["ok", "leak"]})
    with pytest.raises(ValueError, match="'remark'"):
        extract_all_features(frame, RATE_HZ)
