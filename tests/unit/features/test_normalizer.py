"""Normalisation statistics, against NumPy in float64 over all training windows at once."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.features.normalizer import FeatureNormalizer

SLOTS, STEPS, FEATURES = 6, 4, 3
Part = tuple[Tensor, Tensor, Tensor]


def machines() -> list[Part]:
    """Three machines; the first two share two slots, slot 5 belongs to none."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for slots, windows, level in (([0, 2, 4], 11, 1e3), ([2, 4], 7, 1e3), ([1, 3], 2, -5.0)):
        shape = (windows, len(slots), STEPS)
        features = level + torch.randn(*shape, FEATURES, generator=generator)
        observed = torch.rand(shape, generator=generator) > 0.3
        parts.append((torch.tensor(slots), features, observed))
    return parts


def of_slot(parts: list[Part], slot: int, step: int | None) -> NDArray[np.float64]:
    """All observed rows [n, F] of a slot, of one step or of all."""
    rows = [
        features[window, place, t].double().numpy()
        for slots, features, observed in parts
        for place in np.flatnonzero(slots.numpy() == slot)
        for window in range(len(features))
        for t in range(STEPS)
        if step in (None, t) and observed[window, place, t]
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, FEATURES)


def fitted(parts: list[Part], *, per_step: bool, clip: float = 20.0) -> FeatureNormalizer:
    normalizer = FeatureNormalizer(SLOTS, STEPS, FEATURES, per_step, clip)
    normalizer.fit(parts)
    return normalizer


@pytest.mark.parametrize("per_step", [True, False])
def test_merged_moments_equal_numpy_over_the_union_of_the_machines(per_step: bool) -> None:
    parts = machines()
    normalizer = fitted(parts, per_step=per_step)
    assert normalizer.center.shape == (SLOTS, STEPS if per_step else 1, FEATURES)
    for slot in range(SLOTS - 1):
        for step in range(normalizer.center.shape[1]):
            rows = of_slot(parts, slot, step if per_step else None)
            if len(rows) < 2:
                continue
            mean, std = normalizer.center[slot, step], normalizer.scale[slot, step]
            np.testing.assert_allclose(mean.numpy(), rows.mean(axis=0), rtol=1e-6)
            np.testing.assert_allclose(std.numpy(), rows.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize("per_step", [True, False])
def test_the_order_of_the_machines_does_not_matter(per_step: bool) -> None:
    one = fitted(machines(), per_step=per_step)
    other = fitted(machines()[::-1], per_step=per_step)
    torch.testing.assert_close(one.center, other.center, rtol=1e-6, atol=0)
    torch.testing.assert_close(one.scale, other.scale, rtol=1e-5, atol=0)


@pytest.mark.parametrize("per_step", [True, False])
@pytest.mark.parametrize("value", [1e9, float("nan")])
def test_what_stands_at_an_unobserved_step_does_not_count(value: float, per_step: bool) -> None:
    parts = machines()
    spoilt = [
        (slots, features.masked_fill(~observed.unsqueeze(-1), value), observed)
        for slots, features, observed in parts
    ]
    one, other = fitted(parts, per_step=per_step), fitted(spoilt, per_step=per_step)
    assert torch.equal(one.center, other.center)
    assert torch.equal(one.scale, other.scale)
    slots, features, observed = spoilt[0]
    z = one(features[0], observed[0], slots)
    assert (z[~observed[0]] == 0).all()
    assert z.isfinite().all()


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6 / 3])
def test_a_constant_feature_is_centred_and_not_blown_up(level: float) -> None:
    slots, features, observed = machines()[0]
    features[..., 1] = level
    normalizer = fitted([(slots, features, observed)], per_step=False)
    z = normalizer(features[0], torch.ones_like(observed[0]), slots)
    assert z[..., 1].abs().max() < 0.1
    # A new value is judged in the feature's own unit, not divided by a rounding error.
    features[..., 1] += 2.0
    z = normalizer(features[0], torch.ones_like(observed[0]), slots)
    assert z[..., 1].mean().item() == pytest.approx(2.0, abs=0.1)


def test_a_slot_that_was_never_observed_stays_neutral() -> None:
    slots, features, observed = machines()[0]
    observed[:, 1] = False
    for per_step in (True, False):
        normalizer = fitted([(slots, features, observed)], per_step=per_step)
        for slot in (2, 5):  # never observed; of no machine
            assert (normalizer.center[slot] == 0).all()
            assert (normalizer.scale[slot] == 1).all()
        assert not (normalizer.center[0] == 0).any()


def test_values_are_clipped_on_both_sides() -> None:
    slots, features, observed = machines()[0]
    everywhere = torch.ones_like(observed[0])
    normalizer = fitted([(slots, features, observed)], per_step=False, clip=3.0)
    extreme = features[0].clone()
    extreme[0, 0, 0], extreme[0, 0, 1] = 1e8, -1e8
    z = normalizer(extreme, everywhere, slots)
    assert z[0, 0, :2].tolist() == [3.0, -3.0]
    assert z.abs().max() == 3.0


def test_small_ripple_on_a_large_level_keeps_its_digits() -> None:
    # Naive E[x²] − E[x]² in float32 would give noise here.
    generator = torch.Generator().manual_seed(1)
    features = 1e5 + 0.1 * torch.randn(500, 1, STEPS, FEATURES, generator=generator)
    observed = torch.ones(500, 1, STEPS, dtype=torch.bool)
    normalizer = fitted([(torch.tensor([0]), features, observed)], per_step=False)
    expected = features.double().numpy().reshape(-1, FEATURES).std(axis=0)
    np.testing.assert_allclose(normalizer.scale[0, 0].numpy(), expected, rtol=1e-5)


def test_the_rigs_training_windows_come_to_mean_zero_and_variance_one(
    rig: HydraulicDataModule,
) -> None:
    (machine,) = rig.dataset.machines
    features = len(rig.input_spec.feature_names)
    normalizer = FeatureNormalizer(17, 10, features, per_step=True, clip=1e9)
    normalizer.fit(rig.training_parts(normalizer))
    windows = len(rig.split.train)
    z = normalizer(
        machine.read(SENSOR_FEATURES, rig.split.train).flatten(0, 1),
        machine.read(SENSOR_OBSERVED, rig.split.train).flatten(0, 1),
        machine.layout.sensor_slot.repeat(windows),
    ).reshape(windows, 17, 10, features)
    assert z.mean(dim=0).abs().max() < 1e-2
    variance = z.var(dim=0, correction=0)
    # Statistics that never vary at some step (a frozen efficiency) are centred only.
    assert (((variance - 1).abs() < 1e-2) | (variance < 1e-2)).all()
    assert (variance > 0.9).double().mean() > 0.9
