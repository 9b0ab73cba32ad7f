"""Whitening: by what varies within conditions, sensor by sensor; all conditions weigh the same."""

import numpy as np
import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.sensor_whitening import SensorWhitening

SENSORS, STEPS, FEATURES, GROUPS = 3, 4, 5, 6


def batch(features: Tensor, observed: Tensor) -> GraphInputs:
    """[W, S, T, F] as a batch of machines of one component."""
    graphs = torch.arange(len(features))
    unread = dict.fromkeys(GraphInputs._fields, torch.empty(0))
    given = {
        "sensor_features": features.flatten(0, 1),
        "sensor_observed": observed.flatten(0, 1),
        "sensor_slot": torch.arange(SENSORS).repeat(len(features)),
        "sensor_component": graphs.repeat_interleave(SENSORS),
        "component_graph": graphs,
        "graph_id": graphs,
    }
    return GraphInputs(**{**unread, **given})


def recorded(gaps: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Windows of conditions of very different sizes, whose features are correlated."""
    random = torch.Generator().manual_seed(0)
    group = torch.cat([torch.full((4 * (n + 1) ** 2,), n) for n in range(GROUPS)])
    level = 3.0 * torch.randn(GROUPS, SENSORS, STEPS, FEATURES, generator=random)
    mixing = torch.randn(SENSORS, STEPS, FEATURES, FEATURES, generator=random)
    noise = torch.randn(len(group), SENSORS, STEPS, FEATURES, generator=random)
    x = level[group] + torch.einsum("wstf,stfg->wstg", noise, mixing)
    observed = torch.ones(x.shape[:3], dtype=torch.bool)
    if gaps:
        observed = torch.rand(observed.shape, generator=random) > 0.2
        x = torch.where(observed.unsqueeze(-1), x, torch.nan)
    return x, observed, group


def fitted(x: Tensor, observed: Tensor, group: Tensor, *, per_step: bool = True) -> SensorWhitening:
    whitening = SensorWhitening(SENSORS, STEPS, FEATURES, per_step)
    chunks = [slice(first, first + 50) for first in range(0, len(x), 50)]
    whitening.fit(lambda: (GroupedInputs(batch(x[c], observed[c]), group[c]) for c in chunks))
    return whitening


def whitened(whitening: SensorWhitening, x: Tensor, observed: Tensor) -> Tensor:
    inputs = batch(x, observed)
    z: Tensor = whitening(inputs.sensor_features, inputs.sensor_observed, inputs.sensor_slot)
    return z.reshape(x.shape)


def naive(x: Tensor, group: Tensor, sensor: int, step: int) -> np.ndarray:
    """The formula, for one sensor and step, in NumPy; without r."""
    values, number = x[:, sensor, step].double().numpy(), group.numpy()
    means = np.stack([values[number == g].mean(0) for g in range(GROUPS)])
    covariances = [np.cov(values[number == g].T, bias=True) for g in range(GROUPS)]
    within = np.mean(covariances, axis=0)
    deviation = np.sqrt(np.diag(within))
    correlation = within / np.outer(deviation, deviation)
    eigenvalues, vectors = np.linalg.eigh(correlation + 0.1 * np.eye(FEATURES))
    root = vectors @ np.diag(eigenvalues**-0.5) @ vectors.T
    return np.asarray((values - means.mean(0)) / deviation @ root)


def test_it_is_the_symmetric_root_of_the_correlations_within_conditions():
    x, observed, group = recorded()
    z = whitened(fitted(x, observed, group), x, observed)
    ratios = []
    for sensor in range(SENSORS):
        for step in range(STEPS):
            expected = naive(x, group, sensor, step)
            mine = z[:, sensor, step].double().numpy()
            ratio = (mine * expected).sum() / np.square(expected).sum()
            np.testing.assert_allclose(mine, ratio * expected, atol=2e-4)
            ratios.append(ratio)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)  # one r for all
    weight = (1.0 / torch.bincount(group)[group].double()).view(-1, 1, 1, 1)
    square = (weight * z.double().square()).sum(0).mean() / weight.sum()
    torch.testing.assert_close(float(square), 1.0, rtol=1e-4, atol=0.0)


def test_windows_may_come_in_any_parts_and_what_is_not_observed_is_never_read():
    x, observed, group = recorded(gaps=True)
    whitening = fitted(x, observed, group)
    z = whitened(whitening, x, observed)
    assert z.isfinite().all()
    assert (z[~observed] == 0).all()
    order = torch.randperm(len(x))
    again = fitted(x[order], observed[order], group[order])
    torch.testing.assert_close(again.mixing, whitening.mixing)
    torch.testing.assert_close(again.center, whitening.center)


def test_steps_share_statistics_where_they_are_alike():
    x, observed, group = recorded()
    steps = fitted(x, observed, group, per_step=False)
    one = SensorWhitening(SENSORS, 1, FEATURES, True)
    single = x.transpose(1, 2).reshape(-1, SENSORS, 1, FEATURES)
    unit = group.repeat_interleave(STEPS)
    one.fit(lambda: [GroupedInputs(batch(single, observed.reshape(-1, SENSORS, 1)), unit)])
    torch.testing.assert_close(steps.center, one.center, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(steps.mixing, one.mixing, rtol=1e-4, atol=1e-4)


def test_a_feature_that_never_varies_says_nothing_and_windows_of_unknown_condition_do_not_count():
    x, observed, group = recorded()
    x[..., 2] = 7.0
    z = whitened(fitted(x, observed, group), x, observed)
    assert z.isfinite().all()
    assert z[..., 2].abs().max() < 1e-3
    more = torch.cat((x, 100 * torch.randn(5, SENSORS, STEPS, FEATURES)))
    seen = torch.ones(more.shape[:3], dtype=torch.bool)
    unknown = torch.cat((group, torch.full((5,), -1)))
    torch.testing.assert_close(
        fitted(more, seen, unknown).mixing, fitted(x, observed, group).mixing
    )


def test_before_it_is_fitted_it_changes_nothing():
    x, observed, _ = recorded()
    fresh = SensorWhitening(SENSORS, STEPS, FEATURES, per_step=True)
    torch.testing.assert_close(whitened(fresh, x, observed), x.clamp(-20, 20))
