"""The classical detectors against scikit-learn and numpy, and their sums by level."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.covariance import oas
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest as OtherForest
from sklearn.neighbors import NearestNeighbors as OtherNeighbours
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.detectors.detector import Detector
from hydrascope.models.detectors.forest import IsolationForest
from hydrascope.models.detectors.mahalanobis import Mahalanobis
from hydrascope.models.detectors.neighbours import NearestNeighbours
from hydrascope.models.detectors.quadratic import PcaSpe, PcaT2
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import COMPONENT, LEVELS, MACHINE, SENSOR, NormalitySpec
from hydrascope.schemas.task import HeadSpec, TaskSpec
from learned_windows import Learned

STEPS, FEATURES = 2, 3
OWN = {"rig": 3, "press": 2}
"""The sensors of each build; the first of each is on one component, the others on another."""
SLOT = {"rig": 0, "press": 3}
Rows = NDArray[np.float64]


def spec() -> InputSpec:
    return InputSpec(
        component_kinds=("pump",),
        sensor_kinds=("pressure",),
        sensor_slots=("rig/a", "rig/b", "rig/c", "press/a", "press/b"),
        feature_names=("mean", "std", "slope"),
        steps=STEPS,
        component_heads=(),
    )


def windows(build: str, features: Tensor, observed: Tensor | None = None) -> GraphInputs:
    """Return normalised features [G, S, T, F] of machines of a build as a batch."""
    count, sensors = features.shape[:2]
    seen = torch.ones(count, sensors, STEPS, dtype=torch.bool) if observed is None else observed
    graphs = torch.arange(count)
    carrier = torch.tensor([0] + [1] * (sensors - 1))
    unread = dict.fromkeys(GraphInputs._fields, torch.empty(0))
    given = {
        "sensor_features": features.flatten(0, 1),
        "sensor_observed": seen.flatten(0, 1),
        "sensor_slot": (SLOT[build] + torch.arange(sensors)).repeat(count),
        "sensor_component": (2 * graphs.unsqueeze(1) + carrier).flatten(),
        "component_graph": graphs.repeat_interleave(2),
        "component_kind": torch.zeros(2 * count, dtype=torch.int64),
        "graph_id": graphs,
    }
    return GraphInputs(**{**unread, **given})


def drawn(build: str, count: int, seed: int) -> Tensor:
    """Return features with correlated values."""
    random = torch.Generator().manual_seed(seed)
    width = OWN[build] * STEPS * FEATURES
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(len(build)))
    rows = torch.randn(count, width, generator=random) @ mixing + 0.5
    return rows.reshape(count, OWN[build], STEPS, FEATURES)


def flat(features: Tensor) -> Rows:
    rows: Rows = features.flatten(1).double().numpy()
    return rows


def by_step(rows: Rows) -> Rows:
    """Return rows of windows as steps of windows, [windows, steps, sensors · features]."""
    steps = rows.reshape(len(rows), -1, STEPS, FEATURES).transpose(0, 2, 1, 3)
    return steps.reshape(len(rows), STEPS, -1)


def whitened(train: Rows, test: Rows) -> Rows:
    """Return the whitened test windows, [windows, steps, sensors, features]."""
    learned = by_step(train).reshape(-1, train.shape[1] // STEPS)
    center, scale = learned.mean(0), learned.std(0)
    shrunk, _ = oas((learned - center) / scale, assume_centered=True)
    value, vector = np.linalg.eigh(shrunk * np.outer(scale, scale))
    white = (by_step(test) - center) @ (vector / np.sqrt(value)) @ vector.T
    return white.reshape(len(test), STEPS, -1, FEATURES)


def mahalanobis(train: Rows, test: Rows) -> Rows:
    return np.asarray((whitened(train, test) ** 2).sum((1, 2, 3)))


def t2(train: Rows, test: Rows) -> Rows:
    pca = PCA(0.9, svd_solver="full").fit(train)
    return np.asarray((pca.transform(test) ** 2 / pca.explained_variance_).sum(1))


def spe(train: Rows, test: Rows) -> Rows:
    pca = PCA(0.9, svd_solver="full").fit(train)
    return np.asarray(((test - pca.inverse_transform(pca.transform(test))) ** 2).sum(1))


def neighbours(train: Rows, test: Rows) -> Rows:
    distance, _ = OtherNeighbours(n_neighbors=5).fit(train).kneighbors(test)
    return np.asarray((distance**2).mean(1))


SQUARES: dict[type[Detector], Callable[[Rows, Rows], Rows]] = {
    Mahalanobis: mahalanobis,
    PcaT2: t2,
    PcaSpe: spe,
    NearestNeighbours: neighbours,
}
OF_ROWS: tuple[type[Detector], ...] = (PcaT2, PcaSpe, NearestNeighbours, IsolationForest)
"""Those that set what is not observed to its mean."""


def fresh(kind: type[Detector], **options: Any) -> Detector:
    return kind(kind.Config(**options), spec(), ())


def fitted(kind: type[Detector], counts: Mapping[str, int], **options: Any) -> Detector:
    model = fresh(kind, **options)
    parts = [windows(build, drawn(build, count, 1)) for build, count in counts.items()]
    assert model.fit(Learned(*parts), seed=3) == {}
    return model


def scores(model: Detector, inputs: GraphInputs) -> dict[str, tuple[Rows, Rows]]:
    """Return each level's squares and steps."""
    parts = model(inputs).parts
    assert parts is not None
    return {name: (parts[name][:, :2].sum(1).numpy(), parts[name][:, 2].numpy()) for name in LEVELS}


@pytest.mark.parametrize("kind", SQUARES)
@pytest.mark.parametrize("count", [9, 200])  # fewer and more windows than values
def test_scores_are_those_of_scikit_learn_for_each_build(kind: type[Detector], count: int) -> None:
    model = fitted(kind, {"rig": count, "press": count})
    for build in OWN:
        train, test = drawn(build, count, 1), drawn(build, 40, 2)
        found = scores(model, windows(build, test))
        expected = SQUARES[kind](flat(train), flat(test)) / FEATURES
        np.testing.assert_allclose(found[MACHINE][0], expected, rtol=2e-5)
        np.testing.assert_array_equal(found[MACHINE][1], OWN[build] * STEPS)
        by_component = found[COMPONENT][0].reshape(40, 2)
        np.testing.assert_allclose(by_component.sum(1), expected, rtol=2e-5)
        by_sensor = found[SENSOR][0].reshape(40, -1)
        np.testing.assert_allclose(by_sensor[:, 0], by_component[:, 0], rtol=1e-6)
        np.testing.assert_allclose(by_sensor[:, 1:].sum(1), by_component[:, 1], rtol=1e-5)


@pytest.mark.parametrize("count", [20, 400])  # fewer and more windows than a tree takes
def test_the_forest_scores_as_scikit_learn_and_machines_alone(count: int) -> None:
    model = fitted(IsolationForest, {"rig": count}, trees=50)
    rows = flat(drawn("rig", count, 1))
    mean = rows.mean(0)
    other = OtherForest(n_estimators=50, max_samples=min(256, count), random_state=3)
    other.fit(rows - mean)
    test = drawn("rig", 60, 2)
    found = scores(model, windows("rig", test))
    expected = -other.score_samples(flat(test) - mean)
    np.testing.assert_allclose(np.sqrt(found[MACHINE][0]), expected, atol=1e-6, rtol=0)
    assert np.ptp(expected) > 0.05
    np.testing.assert_array_equal(found[MACHINE][1], 1.0)
    assert not found[SENSOR][1].any()
    assert not found[COMPONENT][1].any()


def test_the_squares_of_a_sensor_are_of_the_symmetric_root() -> None:
    model, train = fitted(Mahalanobis, {"rig": 50}), flat(drawn("rig", 50, 1))
    test = drawn("rig", 8, 2)
    white = whitened(train, flat(test)).transpose(0, 2, 1, 3)
    white = white.reshape(8 * OWN["rig"], STEPS, FEATURES)
    inputs = windows("rig", test)
    found, _ = scores(model, inputs)[SENSOR]
    np.testing.assert_allclose(found, (white**2).sum((1, 2)) / FEATURES, rtol=1e-4)
    parts = model(inputs).parts
    assert parts is not None
    level = STEPS * (white.mean(1) ** 2).mean(1)
    np.testing.assert_allclose(parts[SENSOR][:, 1], level, rtol=1e-3)


def test_among_neighbours_a_sensor_that_only_moves_has_hardly_a_level() -> None:
    model = fitted(NearestNeighbours, {"rig": 200})
    mean = drawn("rig", 200, 1).mean(0, keepdim=True)
    far = torch.tensor([[100.0], [-100.0]])
    for steps, least, most in ((far, 0.0, 0.05), (far.abs(), 0.95, 1.0)):
        parts = model(windows("rig", mean + steps)).parts
        assert parts is not None
        change, level = parts[SENSOR][:, :2].sum(0).tolist()
        assert least <= level / (change + level) <= most


@pytest.mark.parametrize("kind", OF_ROWS)
def test_what_is_not_observed_counts_as_the_mean_and_is_never_read(kind: type[Detector]) -> None:
    train, test = drawn("rig", 60, 1), drawn("rig", 10, 2)
    seen = torch.rand(60, OWN["rig"], STEPS, generator=torch.Generator().manual_seed(4)) > 0.3
    model = fresh(kind)
    model.fit(Learned(windows("rig", train.masked_fill(~seen.unsqueeze(-1), 1e6), seen)), seed=3)
    mean = (train * seen.unsqueeze(-1)).sum(0) / seen.sum(0).unsqueeze(-1)
    filled = fresh(kind)
    filled.fit(Learned(windows("rig", torch.where(seen.unsqueeze(-1), train, mean))), seed=3)
    part = torch.ones(10, OWN["rig"], STEPS, dtype=torch.bool)
    part[:, 1, 0] = False
    found = scores(model, windows("rig", test.masked_fill(~part.unsqueeze(-1), torch.nan), part))
    at_mean = torch.where(part.unsqueeze(-1), test, mean)
    expected = scores(filled, windows("rig", at_mean))
    np.testing.assert_allclose(found[MACHINE][0], expected[MACHINE][0], rtol=1e-4)
    if model.by_value:
        np.testing.assert_array_equal(found[SENSOR][1].reshape(10, -1), part.sum(2).numpy())


@pytest.mark.parametrize("kind", SQUARES)
def test_a_sensor_that_never_varied_changes_nothing_where_it_is_missing(
    kind: type[Detector],
) -> None:
    train, test = drawn("rig", 60, 1), drawn("rig", 6, 2)
    train[:, 1], test[:, 1] = 4.0, 4.0
    model = fresh(kind)
    model.fit(Learned(windows("rig", train)), seed=3)
    missing = torch.ones(6, OWN["rig"], STEPS, dtype=torch.bool)
    missing[:, 1] = False

    def machine(inputs: GraphInputs) -> Rows:
        square, steps = scores(model, inputs)[MACHINE]
        return square / steps

    whole = machine(windows("rig", test))
    np.testing.assert_allclose(machine(windows("rig", test, missing)), whole, rtol=1e-5)
    moved = test.clone()
    moved[:, 1] += 3.0
    if kind is not PcaT2:  # which only sees directions that varied
        assert (machine(windows("rig", moved)) > whole).all()
    with pytest.raises(SpecError, match="no sensor varies in the 9 windows to learn from"):
        fresh(kind).fit(Learned(windows("rig", torch.ones(9, OWN["rig"], STEPS, FEATURES))), 0)


@pytest.mark.parametrize("kind", [*SQUARES, IsolationForest])
def test_a_build_or_sensor_that_was_not_learned_has_no_score(kind: type[Detector]) -> None:
    seen = torch.ones(30, OWN["rig"], STEPS, dtype=torch.bool)
    seen[:, 2] = False
    model = fresh(kind)
    learned = windows("rig", drawn("rig", 30, 1), seen), windows("press", drawn("press", 1, 1))
    model.fit(Learned(*learned), seed=0)
    of_rig = scores(model, windows("rig", drawn("rig", 2, 2)))
    assert of_rig[SENSOR][1].reshape(2, -1)[:, 2].tolist() == [0, 0]
    assert (of_rig[MACHINE][1] > 0).all()
    for _, steps in scores(model, windows("press", drawn("press", 2, 2))).values():
        assert not steps.any()


@pytest.mark.parametrize("kind", [*SQUARES, IsolationForest])
def test_its_record_and_its_state_are_all_of_it(kind: type[Detector]) -> None:
    model, again = fitted(kind, {"rig": 40, "press": 30}), fresh(kind)
    again.prepare(model.record())
    again.load_state_dict(model.state_dict())
    inputs = windows("press", drawn("press", 9, 2))
    for level, (square, steps) in scores(model, inputs).items():
        np.testing.assert_array_equal(scores(again, inputs)[level], (square, steps))


def test_at_most_so_many_neighbours_are_kept() -> None:
    model = fitted(NearestNeighbours, {"rig": 40}, max_rows=10)
    assert model.record()["sizes"][0] == [10, OWN["rig"] * STEPS * FEATURES]


def test_what_it_cannot_do_is_one_line() -> None:
    head = HeadSpec.model_validate({"name": "leak", "level": "machine", "kind": "binary"})
    with pytest.raises(SpecError, match="answers no heads, but the task has leak; accepted with"):
        Mahalanobis(Mahalanobis.Config(), spec(), (head,))
    weighed = TaskSpec(name="t", normality=NormalitySpec(level_share=0.5))
    Mahalanobis.check_task(weighed)
    with pytest.raises(
        SpecError, match=r"level_share: 0.5 is not accepted; .* accepted with it: 1.0"
    ):
        IsolationForest.check_task(weighed)
    with pytest.raises(SpecError, match="learns from 2 or more windows of a build, but the train"):
        fresh(PcaT2).fit(Learned(windows("rig", drawn("rig", 1, 1))), seed=0)
