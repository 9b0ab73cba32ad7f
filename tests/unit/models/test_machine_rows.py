"""Rows of all sensors of a machine by build, whitened together, and their answers."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from row_machines import BUILDS, FEATURES, HEADS, SPEC, batch, drawn
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.layout import concatenate
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.machine_rows import MachineRows
from hydrascope.models.blocks.row_answers import RowAnswers
from hydrascope.models.layers.build_linear import BuildLinear
from hydrascope.schemas import HeadSpec
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadLevel


def fitted(features: tuple[str, ...] | None = None, *, per_step: bool = False) -> MachineRows:
    """Rows of both builds; of the windows of each, every third is of one condition."""

    def windows() -> Iterator[GroupedInputs]:
        for build in range(2):
            x, reference = drawn(build)
            for part, group in zip(x.split(150), conditions(build).split(150), strict=True):
                yield GroupedInputs(batch(build, part, reference), group)

    rows = MachineRows(SPEC, features=features, per_step=per_step, references=True, noise=0.5)
    rows.eval().fit(windows)
    return rows.double()


def conditions(build: int) -> Tensor:
    """Numbers of three conditions of the first build; those of the second are not known."""
    return torch.arange(400) % 3 if build == 0 else torch.full((400,), -1)


def double(inputs: GraphInputs) -> GraphInputs:
    return GraphInputs(*(t.double() if t.is_floating_point() else t for t in inputs))


def numbers(build: int, features: tuple[str, ...], *, per_step: bool) -> np.ndarray:
    """What the rows of a build are made of, less their mean, in NumPy."""
    x, reference = drawn(build)
    own = (x - reference).double().numpy()[..., [FEATURES.index(name) for name in features]]
    flat = (own if per_step else own.mean(2)).reshape(len(x), -1)
    return flat - flat.mean(0)


@pytest.mark.parametrize("build", [0, 1])
@pytest.mark.parametrize(("features", "per_step"), [(FEATURES, False), (("std", "mean"), True)])
def test_a_row_is_whitened_over_all_sensors_within_conditions(
    build: int, features: tuple[str, ...], *, per_step: bool
) -> None:
    flat = numbers(build, features, per_step=per_step)
    width = flat.shape[1]
    residual = flat.copy()
    if build == 0:
        for number in range(3):
            residual[number::3] -= flat[number::3].mean(0)
    within = residual.T @ residual / len(flat)
    values, vectors = np.linalg.eigh(within + 0.03 * np.eye(width))
    expected = flat @ (vectors / np.sqrt(values)) @ vectors.T
    expected /= np.sqrt((expected**2).mean())
    x, reference = drawn(build)
    z, which = fitted(features, per_step=per_step)(double(batch(build, x, reference)))
    assert (which.argmax(1) == build).all()
    np.testing.assert_allclose(z[:, :width].numpy(), expected, rtol=5e-4, atol=5e-4)
    assert (z[:, width:] == 0).all()  # the other build has a sensor more


def test_a_feature_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(SpecError, match=r"model.row_features: 'median' is not a feature.*std"):
        fitted(("mean", "median"))


@pytest.mark.parametrize("per_step", [False, True])
def test_a_missing_sensor_is_what_the_others_let_expect(*, per_step: bool) -> None:
    x, reference = drawn(0)
    seen = torch.ones(x.shape[:3], dtype=torch.bool)
    seen[:, 1] = False
    rows = fitted(per_step=per_step)
    z, _ = rows(double(batch(0, torch.where(seen.unsqueeze(-1), x, 0.0), reference, seen)))
    flat = numbers(0, FEATURES, per_step=per_step)
    width = flat.shape[1]
    matrix = np.cov(flat.T, bias=True) + 0.03 * np.eye(width)
    missing = np.zeros((len(BUILDS[0].sensors), rows.size), bool)
    missing[1] = True
    missing = missing.ravel()
    regression = np.linalg.solve(matrix[~missing][:, ~missing], matrix[~missing][:, missing])
    flat[:, missing] = flat[:, ~missing] @ regression
    expected = flat @ rows.mixing[0, :width, :width].numpy()
    np.testing.assert_allclose(z[:, :width].numpy(), expected, rtol=1e-3, atol=1e-3)


def test_a_step_that_is_missing_stands_at_the_mean_of_the_others() -> None:
    x, reference = drawn(0, 2)
    reference = torch.zeros_like(reference)
    seen = torch.ones(x.shape[:3], dtype=torch.bool)
    seen[:, :, 1] = False
    filled = x.clone()
    filled[:, :, 1] = (x[:, :, 0] + x[:, :, 2]) / 2
    rows = fitted(per_step=True)
    z, _ = rows(double(batch(0, torch.where(seen.unsqueeze(-1), x, 0.0), reference, seen)))
    torch.testing.assert_close(z, rows(double(batch(0, filled, reference)))[0])


def test_machines_of_several_builds_are_read_as_each_by_itself() -> None:
    rows, parts = fitted(), [double(batch(build, *drawn(build, 4))) for build in (1, 0, 1)]
    together, _ = rows(concatenate(parts))
    apart = torch.cat([rows(part)[0] for part in parts])
    torch.testing.assert_close(together, apart)
    torch.manual_seed(0)
    noisy, _ = rows.train()(parts[0])
    assert 0.3 < float((noisy - rows.eval()(parts[0])[0]).std()) < 0.7


def test_each_row_meets_the_weights_of_its_build() -> None:
    layer = BuildLinear(3, 5, 2).double()
    torch.nn.init.normal_(layer.bias)
    x, which = torch.randn(4, 5).double(), torch.tensor([2, 0, 2, 1])
    expected = [x[k] @ layer.weight[w] + layer.bias[w] for k, w in enumerate(which.tolist())]
    found = layer(x, torch.nn.functional.one_hot(which, 3).double())
    torch.testing.assert_close(found, torch.stack(expected))


def test_each_component_of_a_build_has_an_answer_of_its_own() -> None:
    rows = fitted()
    answers = RowAnswers(HEADS, 2, rows.width, 16, 1, SPEC.most_components).double()
    torch.nn.init.normal_(answers.out.weight)
    inputs = concatenate([double(batch(0, *drawn(0, 3))), double(batch(1, *drawn(1, 2)))])
    said = answers(inputs, rows(inputs))
    assert {name: tuple(value.shape) for name, value in said.items()} == {
        "leaks": (18, 2), "wear": (18, 1), "life": (5, 1),
    }  # fmt: skip
    # The row of the machine is the same for its components, their weights are not.
    assert len(said["wear"][:4].unique()) == 4
    sum(value.sum() for value in said.values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in answers.parameters())


@pytest.mark.parametrize("asked", [HEADS[:2], HEADS[2:]], ids=["components", "machines"])
def test_a_task_may_ask_about_components_alone_or_machines_alone(asked: list[HeadSpec]) -> None:
    rows = fitted()
    answers = RowAnswers(asked, 2, rows.width, 16, 1, SPEC.most_components).double()
    inputs = double(batch(0, *drawn(0, 3)))
    said = answers(inputs, rows(inputs))
    assert {name: len(value) for name, value in said.items()} == {
        head.name: 12 if head.level is HeadLevel.COMPONENT else 3 for head in asked
    }
