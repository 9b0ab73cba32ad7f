"""Rows of all sensors of a machine by role, and their answers."""

from collections.abc import Sequence

import numpy as np
import torch
from row_machines import BUILDS, FEATURES, HEADS, SPEC, STEPS, batch, drawn, topology, windows_of
from torch import Tensor

from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.models.blocks.role_answers import LineBlock, RoleAnswers
from hydrascope.models.blocks.role_rows import RoleRows
from hydrascope.schemas import GraphTopology, validate


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
    rows = RoleRows(SPEC, levels=False, noise=0.0).eval()
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
    rows = RoleRows(SPEC, levels=False, noise=0.0).eval()
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
    rows = RoleRows(SPEC, levels=False, noise=0.0).eval()
    x, reference = levels(1, [30.0, 60.0], 45.0), levels(1, [60.0], 40.0)[0]
    new = topology("new", 60.0, valve=False)
    layout = GraphLayout.of(new, SPEC, HEADS, any_build=True)
    assert layout.sensor_slot.tolist() == [len(SPEC.sensor_slots)] * 2
    for found, expected in zip(
        rows(windows_of(layout, x, reference)), rows(batch(1, x, reference)), strict=True
    ):
        assert torch.equal(found, expected)


def test_a_sensor_of_a_role_that_nobody_plays_in_training_is_left_out() -> None:
    rows = RoleRows(SPEC, levels=False, noise=0.0).eval()
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
    rows, x = RoleRows(SPEC, levels=False, noise=0.3).train(), levels(0, [150.0], 45.0)
    inputs = batch(0, x, x[0])
    none = inputs._replace(sensor_reference_mask=torch.zeros_like(inputs.sensor_reference_mask))
    assert (rows(none).machine == 0).all()


def test_levels_of_the_reference_stand_beside_the_changes() -> None:
    plain, rows = (RoleRows(SPEC, levels=each, noise=0.0).eval() for each in (False, True))
    inputs = batch(0, levels(0, [150.0], 45.0), levels(0, [300.0], 40.0)[0])
    row = rows(inputs).machine.view(len(SPEC.sensor_roles), -1)
    features = len(FEATURES)
    assert torch.equal(row[:, :features].flatten(), plain(inputs).machine[0])
    # Mean and deviation alone are among these features; the span of the pressure is 300 bar.
    usual = 0.2 * np.log1p(300.0 / 1.5)
    np.testing.assert_allclose(row[0, features:], [usual, usual], rtol=1e-5)
    assert rows.width == rows.roles * (features + 2)


def test_a_component_hears_of_others_as_many_lines_away_as_there_are_rounds() -> None:
    torch.manual_seed(0)
    block, x = LineBlock(8), torch.randn(4, 8)
    along = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])  # 0 – 1 – 2, and 3 alone
    other = x.clone()
    other[2] += 1.0
    once = (block(x, along) - block(other, along)).abs().sum(1) > 0
    assert once.tolist() == [False, True, True, False]
    twice = block(block(x, along), along) - block(block(other, along), along)
    assert (twice.abs().sum(1) > 0).tolist() == [True, True, True, False]
    # Neighbours count alike: their mean, not their sum.
    y = block.norm(x)
    heard = torch.cat([y[1], (y[0] + y[2]) / 2])
    expected = x[1] + block.out(torch.nn.functional.silu(block.hidden(heard)))
    torch.testing.assert_close(block(x, along)[1], expected)


def test_families_answer_by_weights_of_their_own_and_every_parameter_learns() -> None:
    rows = RoleRows(SPEC, levels=True, noise=0.0)
    answers = RoleAnswers(HEADS, rows, 16, 1, 1)
    torch.nn.init.normal_(answers.out.weight)
    inputs = concatenate([batch(build, *drawn(build, 6)) for build in range(2)])
    said = answers(inputs, rows(inputs))
    assert said["leaks"].shape == (6 * 4 + 6 * 3, 2)
    assert said["life"].shape == (12, 1)
    sum(value.sum() for value in said.values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in answers.parameters())
