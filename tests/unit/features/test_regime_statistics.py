"""Operating regimes have statistics of their own, against NumPy over the windows of each."""

import numpy as np
import pytest
import torch
from torch import Tensor

from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.regimes import Regimes

SLOTS, STEPS, FEATURES, WINDOWS = 5, 3, 2, 40
CENTERS = np.array([[1000.0, 1.0], [3000.0, 1.0], [3000.0, 9.0]])
SETTINGS = {1: 0, 4: 1}
"""Slot → its setting, in the feature 1."""


@pytest.fixture(scope="module")
def regimes() -> Regimes:
    found = Regimes([SETTINGS.get(slot, -1) for slot in range(SLOTS)], 2, len(CENTERS), feature=1)
    found.center.copy_(torch.from_numpy(CENTERS))
    found.scale.copy_(torch.tensor([900.0, 4.0]))
    return found


@pytest.fixture(scope="module")
def part() -> tuple[Tensor, Tensor, Tensor, np.ndarray]:
    """Return slots, features and masks of one machine, and the regime of each window."""
    random = np.random.default_rng(3)
    slot = np.array([4, 0, 1, 3])  # slot 2 is of another machine
    regime = random.integers(0, 3, WINDOWS)
    features = random.normal(size=(WINDOWS, 4, STEPS, FEATURES)) + regime[:, None, None, None]
    features[:, 2, :, 1] = CENTERS[regime, 0, None] + random.normal(0, 50, (WINDOWS, STEPS))
    features[:, 0, :, 1] = CENTERS[regime, 1, None] + random.normal(0, 0.5, (WINDOWS, STEPS))
    observed = random.uniform(size=(WINDOWS, 4, STEPS)) > 0.2
    observed[:5, 2] = False  # the speed of five windows
    observed[(regime == 2) & (np.arange(WINDOWS) > 4), 3] = False  # never seen in the last regime
    regime[:5] = -1
    regime[~observed[:, [0, 2]].any(2).all(1)] = -1
    tensors = torch.from_numpy(slot), torch.from_numpy(features).float(), torch.from_numpy(observed)
    return *tensors, regime


def test_a_window_belongs_to_the_nearest_centre_or_to_none_if_a_setting_is_missing(
    regimes: Regimes, part: tuple[Tensor, Tensor, Tensor, np.ndarray]
) -> None:
    slot, features, observed, regime = part
    flat = FeatureNormalizer.flat(features, observed, slot)
    np.testing.assert_array_equal(regimes(*flat), regime)
    settings = regimes.settings(*flat).numpy()
    speed = np.where(observed[:, 2], features[:, 2, :, 1], np.nan)[5:].astype(np.float64)
    np.testing.assert_allclose(settings[5:, 0], np.nanmean(speed, axis=1), rtol=1e-6)
    assert np.isnan(settings[:5, 0]).all()


@pytest.mark.parametrize("by", ["sensor", "machine"])
def test_each_regime_is_normalised_by_its_own_windows(
    regimes: Regimes, part: tuple[Tensor, Tensor, Tensor, np.ndarray], by: str
) -> None:
    slot, features, observed, regime = part
    reference = torch.full(features.shape[1:], 0.5), torch.ones(features.shape[1:3]).bool()
    normalizer = FeatureNormalizer(SLOTS, STEPS, FEATURES, False, 1e6, by=by, regimes=regimes)
    assert normalizer.of_any_build is False
    place = slot, torch.zeros_like(slot)
    normalizer.fit(normalizer.parts(place, features, observed, reference))
    flat = normalizer.flat(features, observed, slot)
    row = normalizer.regime_row(normalizer.row(*place).repeat(WINDOWS), flat)
    x, seen = normalizer.centred(features, observed, *reference)
    z = normalizer(x.flatten(0, 1), seen.flatten(0, 1), row).unflatten(0, (WINDOWS, 4)).numpy()
    values = np.where(observed[..., None], x, np.nan).astype(np.float64)
    for number in (-1, 0, 1, 2):
        chosen = regime == number
        for sensor in range(4):
            # Sensor 3 was never seen in the last regime, and some windows belong to none.
            common = number == -1 or (number == 2 and sensor == 3)
            known = values[slice(None) if common else chosen, sensor]
            mean, sd = np.nanmean(known, (0, 1)), np.nanstd(known, (0, 1))
            expected = np.nan_to_num((values[chosen, sensor] - mean) / sd)
            np.testing.assert_allclose(z[chosen, sensor], expected, rtol=1e-3, atol=1e-3)


def test_a_sensor_never_seen_in_a_regime_has_the_statistics_of_all_windows(
    regimes: Regimes, part: tuple[Tensor, Tensor, Tensor, np.ndarray]
) -> None:
    slot, features, observed, _ = part
    reference = torch.zeros(features.shape[1:]), torch.ones(features.shape[1:3]).bool()
    normalizer = FeatureNormalizer(SLOTS, STEPS, FEATURES, True, 20.0, regimes=regimes)
    place = slot, torch.zeros_like(slot)
    normalizer.fit(normalizer.parts(place, features, observed, reference))
    assert torch.equal(normalizer.center[SLOTS * 3 + 3], normalizer.center[3])
    assert not torch.equal(normalizer.center[SLOTS * 2 + 3], normalizer.center[3])
