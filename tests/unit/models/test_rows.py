"""Rows of all sensors of a machine: by build, whitened together, and by role."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs, SensorReference, WindowFields
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.machine_rows import MachineRows
from hydrascope.models.blocks.role_answers import RoleAnswers
from hydrascope.models.blocks.role_rows import RoleRows
from hydrascope.models.blocks.row_answers import RowAnswers
from hydrascope.models.layers.build_linear import BuildLinear
from hydrascope.schemas import GraphTopology, HeadSpec, validate
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadLevel

FEATURES = ("mean", "std", "kurtosis", "log_level")
STEPS = 3


def sensor(name: str, kind: str, unit: str, **fields: object) -> dict[str, object]:
    return {"id": name, "kind": kind, "unit": unit, "rate_hz": 1.0, **fields}


def topology(name: str, span: float, *, valve: bool) -> GraphTopology:
    """A pump, a tank and a drive of some kind."""
    bar = {"range": [0.0, span], "position": "outlet"}
    components = [
        {"id": "pump", "kind": "pump", "sensors": [sensor("p", "pressure", "bar", **bar)]},
        {"id": "tank", "kind": "tank", "sensors": [sensor("t", "temperature", "degC")]},
        {"id": "drive", "kind": "cylinder" if valve else "hydraulic_motor", "sensors": []},
    ]
    if valve:
        named = {"range": [-100.0, 100.0], "position": "boom"}
        command = sensor("c", "control_signal", "%", **named)
        components.append({"id": "valve", "kind": "servo_valve", "sensors": [command]})
    line = {"kind": "pressure_line", "diameter_mm": 10, "length_m": 1, "material": "steel"}
    edges = [{**line, "source": "pump", "target": each["id"]} for each in components[1:]]
    return validate(GraphTopology, {"id": name, "components": components, "edges": edges})


BUILDS = (topology("press", 300.0, valve=True), topology("robot", 60.0, valve=False))
SPEC = InputSpec.of(BUILDS, FEATURES, STEPS, ["leaks", "wear"])
LEAKS = {"name": "leaks", "level": "component", "kind": "multi_label", "labels": ["a", "b"]}
HEADS = [
    validate(HeadSpec, LEAKS),
    validate(HeadSpec, {"name": "wear", "level": "component", "kind": "regression"}),
    validate(HeadSpec, {"name": "life", "level": "machine", "kind": "regression"}),
]


def batch(build: int, x: Tensor, reference: Tensor, seen: Tensor | None = None) -> GraphInputs:
    """Windows [W, S, T, F] of a build, reference [S, T, F]."""
    return windows_of(GraphLayout.of(BUILDS[build], SPEC, HEADS), x, reference, seen)


def windows_of(
    layout: GraphLayout, x: Tensor, reference: Tensor, seen: Tensor | None = None
) -> GraphInputs:
    seen = torch.ones(x.shape[:3], dtype=torch.bool) if seen is None else seen
    lines, none = layout.edge_index.shape[1], x.new_zeros(len(x), 0, STEPS, 0)
    line = none.expand(len(x), 0, STEPS, 0).new_zeros(len(x), lines, STEPS, 0)
    machine = x.new_zeros(len(x), STEPS, 0)
    fields = WindowFields(x, seen, line, line.bool(), machine, machine.bool())
    known = torch.ones(reference.shape[:2], dtype=torch.bool)
    return layout.batch(fields, SensorReference(reference, known))


def drawn(build: int, windows: int = 400) -> tuple[Tensor, Tensor]:
    """Features that are correlated over sensors and steps, by condition too, and a reference."""
    random = torch.Generator().manual_seed(build)
    size = len(BUILDS[build].sensors) * STEPS * len(FEATURES)
    mixed = torch.randn(windows, size, generator=random) @ torch.randn(size, size, generator=random)
    mixed += 2 * torch.randn(3, size, generator=random)[torch.arange(windows) % 3]
    x = mixed.view(windows, -1, STEPS, len(FEATURES))
    return x.contiguous(), torch.randn(x.shape[1:], generator=random)


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


def levels(build: int, pressure: Sequence[float], temperature: float) -> Tensor:
    """Windows whose sensors stand at levels, [W, S, T, F]; a further sensor at 50."""
    sensors = len(BUILDS[build].sensors)
    x = torch.full((len(pressure), sensors, STEPS, len(FEATURES)), 50.0)
    for window, value in enumerate(pressure):
        x[window, 0] = value
        x[window, 1] = temperature
    return x


def change(build: int, pressure: Sequence[float], temperature: float, sound: float) -> Tensor:
    reference = levels(build, [sound], 40.0)[0]
    rows = RoleRows(SPEC, noise=0.0).eval()
    found, _ = rows._change(batch(build, levels(build, pressure, temperature), reference))
    return found.view(len(pressure), -1, len(FEATURES))


def test_a_share_is_the_same_on_machines_of_other_pressures() -> None:
    large, small = change(0, [150.0], 45.0, 300.0), change(1, [30.0], 45.0, 60.0)
    torch.testing.assert_close(large[0, 0, :2], small[0, 0, :2])
    step = np.log1p(150.0 / 1.5) - np.log1p(300.0 / 1.5)
    np.testing.assert_allclose(large[0, 0, :2].numpy(), [step, step], rtol=1e-5)
    # Temperatures: differences, against 0.025 of a span that the file does not give, so of 1.
    np.testing.assert_allclose(large[0, 1, 0], 5.0 / 0.025, rtol=1e-4)
    # Without a unit: by itself; a logarithm as it is.
    np.testing.assert_allclose(large[0, 0, 2], np.log(151) - np.log(301), rtol=1e-4)
    np.testing.assert_allclose(large[0, 0, 3], -150.0, rtol=1e-4)


def test_machines_of_two_builds_are_laid_out_by_the_same_roles() -> None:
    rows = RoleRows(SPEC, noise=0.0).eval()
    reference = levels(0, [300.0], 40.0)[0]
    row = rows(batch(0, levels(0, [150.0, 300.0], 45.0), reference))
    other = rows(batch(1, levels(1, [30.0], 45.0), levels(1, [60.0], 40.0)[0]))
    features = len(FEATURES)
    torch.testing.assert_close(row.machine[0, :2], other.machine[0, :2])
    assert (row.machine[1, :features] == 0).all()  # nothing has changed
    # "boom" is no port: the command's role is of its kind on valves; the robot has none.
    assert {role.sensor for role in SPEC.sensor_roles} == {
        "pressure@outlet", "temperature", "control_signal",
    }  # fmt: skip
    assert (other.machine[:, 2 * features :] == 0).all()
    # A cylinder and a hydraulic motor are of one family, a pump is of another one.
    assert row.family[2] == other.family[2] != row.family[0]
    own = row.component.view(2, 4, -1)
    assert (own[:, 2] == 0).all()  # it has no sensors
    torch.testing.assert_close(own[0, 0, :features], row.machine[0, :features])


def test_a_build_that_has_no_slots_is_laid_out_by_its_roles_and_spans_alike() -> None:
    rows = RoleRows(SPEC, noise=0.0).eval()
    x, reference = levels(1, [30.0, 60.0], 45.0), levels(1, [60.0], 40.0)[0]
    new = topology("new", 60.0, valve=False)
    layout = GraphLayout.of(new, SPEC, HEADS, any_build=True)
    assert layout.sensor_slot.tolist() == [len(SPEC.sensor_slots)] * 2
    for found, expected in zip(
        rows(windows_of(layout, x, reference)), rows(batch(1, x, reference)), strict=True
    ):
        assert torch.equal(found, expected)


def test_a_sensor_of_a_role_that_nobody_plays_in_training_is_left_out() -> None:
    rows = RoleRows(SPEC, noise=0.0).eval()
    x, reference = levels(1, [30.0], 45.0), levels(1, [60.0], 40.0)[0]
    plain = topology("new", 60.0, valve=False).model_dump(mode="json")
    plain["components"][0]["sensors"][0]["position"] = "drain"
    other = validate(GraphTopology, plain)
    layout = GraphLayout.of(other, SPEC, HEADS, any_build=True)
    assert layout.sensor_role[0] == len(SPEC.sensor_roles)
    row, with_it = rows(windows_of(layout, x, reference)), rows(batch(1, x, reference))
    features = len(FEATURES)
    assert (with_it.machine[0, :features] != 0).any()
    assert (row.machine[0, :features] == 0).all()
    assert torch.equal(row.machine[0, features:], with_it.machine[0, features:])


def test_a_sensor_without_reference_says_nothing() -> None:
    rows, x = RoleRows(SPEC, noise=0.3).train(), levels(0, [150.0], 45.0)
    inputs = batch(0, x, x[0])
    none = inputs._replace(sensor_reference_mask=torch.zeros_like(inputs.sensor_reference_mask))
    assert (rows(none).machine == 0).all()


def test_families_answer_by_weights_of_their_own_and_every_parameter_learns() -> None:
    rows = RoleRows(SPEC, noise=0.0)
    answers = RoleAnswers(HEADS, rows, 16, 1)
    torch.nn.init.normal_(answers.out.weight)
    inputs = concatenate([batch(build, *drawn(build, 6)) for build in range(2)])
    said = answers(inputs, rows(inputs))
    assert said["leaks"].shape == (6 * 4 + 6 * 3, 2)
    assert said["life"].shape == (12, 1)
    sum(value.sum() for value in said.values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in answers.parameters())
