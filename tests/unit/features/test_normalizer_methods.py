"""The ways of normalising, against scikit-learn's scalers; streamed, merged, carried along."""

import pickle
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from torch import Tensor

from hydrascope.features.config import Method
from hydrascope.features.normalizer import FeatureNormalizer

SLOTS, STEPS, FEATURES, WINDOWS = 3, 4, 2, 600
SCALERS: dict[Method, Callable[[], StandardScaler | MinMaxScaler | RobustScaler]] = {
    "standardize": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
}
TOLERANCE: dict[Method, float] = {"standardize": 1e-5, "minmax": 1e-5, "robust": 0.03}
"""Few values: a quartile may lie anywhere between two of them."""

Part = tuple[Tensor, Tensor, Tensor]


def windows(seed: int = 0) -> Part:
    """Three slots of one machine, skewed and on different levels."""
    generator = torch.Generator().manual_seed(seed)
    shape = (WINDOWS, SLOTS, STEPS)
    features = torch.randn(*shape, FEATURES, generator=generator).exp() * 7
    features += 100 * torch.arange(SLOTS).reshape(-1, 1, 1)
    return torch.arange(SLOTS), features, torch.rand(shape, generator=generator) > 0.2


def empty(method: Method, *, per_step: bool = False) -> FeatureNormalizer:
    return FeatureNormalizer(SLOTS, STEPS, FEATURES, per_step, 1e6, method)


def fitted(method: Method, *parts: Part, per_step: bool = False) -> FeatureNormalizer:
    normalizer = empty(method, per_step=per_step)
    normalizer.fit(parts)
    return normalizer


def chunks(part: Part, *cuts: int) -> list[Part]:
    slot, features, observed = part
    return [(slot, features[a:b], observed[a:b]) for a, b in pairwise((0, *cuts, len(features)))]


def rows_of(part: Part, slot: int, step: int | None) -> NDArray[np.float64]:
    _, features, observed = part
    at = slice(None) if step is None else slice(step, step + 1)
    return features[:, slot, at][observed[:, slot, at]].double().numpy()


def assert_alike(one: FeatureNormalizer, other: FeatureNormalizer, method: Method) -> None:
    """In parts of the scale; a sketch of quartiles depends a little on what it saw when."""
    tolerance = 0.01 if method == "robust" else 1e-5
    assert ((one.center - other.center).abs() <= tolerance * one.scale).all()
    assert ((one.scale - other.scale).abs() <= tolerance * one.scale).all()


@pytest.mark.parametrize("per_step", [True, False])
@pytest.mark.parametrize("method", SCALERS)
def test_each_method_is_that_of_scikit_learn(method: Method, per_step: bool) -> None:
    part = windows()
    slots, features, _ = part
    everywhere = torch.ones(SLOTS, STEPS, dtype=torch.bool)
    z = fitted(method, part, per_step=per_step)(features[0], everywhere, slots).numpy()
    for slot in range(SLOTS):
        for step in range(STEPS):
            scaler = SCALERS[method]().fit(rows_of(part, slot, step if per_step else None))
            expected = scaler.transform(features[0, slot, step, None].double().numpy())[0]
            tolerance = TOLERANCE[method] * (1 + np.abs(expected))
            assert (np.abs(z[slot, step] - expected) <= tolerance).all()


@pytest.mark.parametrize("method", SCALERS)
def test_windows_in_pieces_give_the_statistics_of_the_whole(method: Method) -> None:
    whole, pieces = fitted(method, windows()), fitted(method, *chunks(windows(), 1, 400, 401))
    assert_alike(whole, pieces, method)


@pytest.mark.parametrize("method", SCALERS)
def test_workers_that_each_saw_a_part_are_merged_also_across_processes(method: Method) -> None:
    whole, merged = fitted(method, windows()), empty(method)
    workers = []
    for part in chunks(windows(), 130, 355):
        statistics = merged.statistics()
        assert statistics is not None
        statistics.update(*part)
        workers.append(pickle.loads(pickle.dumps(statistics)))  # as joblib hands them back
    first, *rest = workers
    for other in rest:
        first.merge(other)
    merged.adopt(first)
    assert_alike(whole, merged, method)


@pytest.mark.parametrize("method", SCALERS)
def test_features_of_one_slot_may_be_known_at_different_times(method: Method) -> None:
    slots, features, observed = windows()
    mask = torch.stack((observed, ~observed), dim=-1)
    both = fitted(method, (slots, features, mask))
    for column, known in ((0, observed), (1, ~observed)):
        alone = fitted(method, (slots, features, known))
        assert torch.equal(both.center[..., column], alone.center[..., column])
        assert torch.equal(both.scale[..., column], alone.scale[..., column])
    z = both(features[0], mask[0], slots)
    assert (z[~mask[0]] == 0).all()
    assert (z[mask[0]] != 0).all()


@pytest.mark.parametrize("method", [*SCALERS, "none"])
def test_statistics_travel_in_the_state_dict(method: Method) -> None:
    slots, features, observed = windows()
    one, other = fitted(method, windows()), empty(method)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(features[0], observed[0], slots), other(features[0], observed[0], slots))


@pytest.mark.parametrize("method", SCALERS)
def test_what_was_never_seen_stays_and_what_never_varied_is_only_centred(method: Method) -> None:
    slots, features, observed = windows()
    observed[:, 1] = False
    features[:, 2] = 42.0
    normalizer = fitted(method, (slots, features, observed))
    assert (normalizer.center[1] == 0).all()
    assert (normalizer.scale[1:] == 1).all()
    assert (normalizer.center[2] == 42).all()


def test_none_leaves_features_as_they_are_and_does_not_clip() -> None:
    slots, features, observed = windows()
    normalizer = FeatureNormalizer(SLOTS, STEPS, FEATURES, True, 3.0, "none")
    normalizer.fit([(slots, features, observed)])
    z = normalizer(features[0], observed[0], slots)
    assert torch.equal(z[observed[0]], features[0][observed[0]])
    assert z.max() > 3
    assert (z[~observed[0]] == 0).all()


def test_faulty_windows_hardly_move_the_robust_statistics() -> None:
    slots, features, observed = windows()
    spoilt = features.clone()
    spoilt[:20] = 1e9
    one, other = (
        fitted("robust", (slots, features, observed)),
        fitted("robust", (slots, spoilt, observed)),
    )
    assert ((other.center - one.center).abs() < 0.3 * one.scale).all()
    assert (other.scale < 1.3 * one.scale).all()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(lambda rng: rng.standard_normal(100_000), id="normal"),
        pytest.param(lambda rng: rng.lognormal(0, 2, 100_000), id="heavy tail"),
        pytest.param(lambda rng: np.sort(rng.standard_normal(100_000)), id="sorted"),
        pytest.param(lambda rng: 1e4 + rng.random(100_000), id="small ripple on a large level"),
    ],
)
def test_streamed_quartiles_are_within_half_a_percent_of_their_rank(
    values: Callable[[np.random.Generator], NDArray[np.float64]],
) -> None:
    x = values(np.random.default_rng(0))
    features = torch.from_numpy(x).reshape(-1, 1, 1, 1)
    observed = torch.ones(features.shape[:3], dtype=torch.bool)
    normalizer = FeatureNormalizer(1, 1, 1, False, 20.0, "robust").double()
    slot = torch.zeros(1, dtype=torch.int64)
    normalizer.fit(
        (slot, *part) for part in zip(features.split(7001), observed.split(7001), strict=True)
    )
    median, spread = normalizer.center.item(), normalizer.scale.item()
    assert abs((x < median).mean() - 0.5) < 0.005
    low, high = np.quantile(x, (0.245, 0.755)), np.quantile(x, (0.255, 0.745))
    assert high[1] - high[0] <= spread <= low[1] - low[0]


@pytest.mark.parametrize("per_step", [True, False])
@pytest.mark.parametrize("method", SCALERS)
def test_sensors_of_one_row_give_the_statistics_of_all_their_windows(
    method: Method, per_step: bool
) -> None:
    _, features, observed = windows()
    together = fitted(method, (torch.tensor([1, 0, 1]), features, observed), per_step=per_step)
    pooled = (torch.cat([each[:, [0]], each[:, [2]]]) for each in (features, observed))
    alone = features[:, [1]], observed[:, [1]]
    apart = [(torch.tensor([1]), *pooled), (torch.tensor([0]), *alone)]
    assert_alike(together, fitted(method, *apart, per_step=per_step), method)
