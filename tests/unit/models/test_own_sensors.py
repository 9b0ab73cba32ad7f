"""What single sensors add to answers by role: nothing before the fit, then what labels show."""

import numpy as np
import pytest
import torch
from row_machines import BUILDS, FEATURES, HEADS, SPEC, STEPS, batch, drawn, topology, windows_of
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.models.blocks.own_sensors import LabelledBatch, OwnSensors, _most_probable
from hydrascope.models.blocks.role_answers import RoleAnswers
from hydrascope.models.blocks.role_rows import RoleRows
from hydrascope.models.blocks.row_answers import PlaceAnswers
from hydrascope.models.blocks.row_reader import RowReader

WINDOWS, COMPONENTS = 80, 4


def windows() -> tuple[GraphInputs, Tensor]:
    """Windows of the first build, and whether its valve leaks: its own sensor alone shows it."""
    random = torch.Generator().manual_seed(3)
    x = 50 + torch.randn(WINDOWS, len(BUILDS[0].sensors), STEPS, len(FEATURES), generator=random)
    leaks = torch.arange(WINDOWS) % 4 == 0
    x[leaks, 2] += 8.0
    return batch(0, x, torch.full(x.shape[1:], 50.0)), leaks


def labelled(inputs: GraphInputs, leaks: Tensor, said: float = -3.0) -> LabelledBatch:
    """The second of two leaks of the last component is labelled; the first one is unknown."""
    target = torch.zeros(WINDOWS, COMPONENTS, 2)
    target[:, 3, 1] = leaks.float()
    target[:, 3, 0] = torch.nan
    flat = target.view(-1, 2)
    return LabelledBatch(inputs, {"leaks": torch.full_like(flat, said)}, {"leaks": flat})


def reader(*, own: bool) -> RowReader:
    torch.manual_seed(0)
    rows = RoleRows(SPEC, levels=True, noise=0.0)
    answers = RoleAnswers(HEADS, rows, 16, 1, 1)
    torch.nn.init.normal_(answers.out.weight)
    return RowReader(rows, answers, OwnSensors(HEADS, SPEC) if own else None).eval()


def test_before_the_fit_the_answers_are_those_of_the_roles_bit_for_bit() -> None:
    inputs, _ = windows()
    plain, with_own = reader(own=False)(inputs), reader(own=True)(inputs)
    assert plain.keys() == with_own.keys()
    assert all(torch.equal(plain[name], with_own[name]) for name in plain)


def test_the_fit_finds_what_one_sensor_shows_and_without_it_that_is_lost() -> None:
    inputs, leaks = windows()
    own = OwnSensors(HEADS, SPEC).eval()
    own.fit([labelled(inputs, leaks)])
    found = own(inputs)
    assert found.keys() == {"leaks"}  # "wear" and "life" have no flags
    logit = found["leaks"].view(WINDOWS, COMPONENTS, 2) - 3.0
    assert torch.equal(logit[:, 3, 1] > 0, leaks)
    assert (logit[:, :3] < 0).all()
    assert (found["leaks"].view(WINDOWS, COMPONENTS, 2)[:, 3, 0] == 0).all()  # no labels
    own.weight.zero_()
    assert not (own(inputs)["leaks"] - 3.0 > 0).any()


def test_a_sensor_without_a_role_is_read() -> None:
    plain = topology("press", 300.0, valve=True).model_dump(mode="json")
    plain["components"][3]["sensors"][0]["position"] = "drain"
    other = type(BUILDS[0]).model_validate(plain)
    layout = GraphLayout.of(other, SPEC, HEADS)
    assert layout.sensor_role[2] == len(SPEC.sensor_roles)
    _, leaks = windows()
    x = torch.full((WINDOWS, 3, STEPS, len(FEATURES)), 50.0)
    x[leaks, 2] += 8.0
    inputs = windows_of(layout, x, torch.full(x.shape[1:], 50.0))
    roles = RoleRows(SPEC, levels=False, noise=0.0).eval()
    assert len(torch.unique(roles(inputs).machine, dim=0)) == 1
    own = OwnSensors(HEADS, SPEC).eval()
    own.fit([labelled(inputs, leaks)])
    logit = own(inputs)["leaks"].view(WINDOWS, COMPONENTS, 2)[:, 3, 1] - 3.0
    assert torch.equal(logit > 0, leaks)


def test_builds_have_maps_of_their_own() -> None:
    inputs, leaks = windows()
    own = OwnSensors(HEADS, SPEC).eval()
    own.fit([labelled(inputs, leaks)])
    assert (own.weight[0] != 0).any()
    assert (own.weight[1] == 0).all()  # it was not among the windows
    both = concatenate([inputs, batch(1, *drawn(1, 6))])
    joined = own(both)["leaks"]
    torch.testing.assert_close(joined[: WINDOWS * COMPONENTS], own(inputs)["leaks"])
    assert (joined[WINDOWS * COMPONENTS :] == 0).all()


def test_the_map_is_that_of_a_logistic_regression_with_a_normal_prior() -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(60, 5, generator=random)
    target = (rows @ torch.randn(5, 1, generator=random) + 0.5 > 0).float()
    found = _most_probable(rows, torch.zeros(60, 1), target)
    size = float(rows.double().square().sum(1).mean())
    oracle = LogisticRegression(C=36.0 / size, fit_intercept=False, tol=1e-10, max_iter=10_000)
    oracle.fit(rows.numpy(), target[:, 0].numpy())
    np.testing.assert_allclose(found[:, 0], oracle.coef_[0], rtol=1e-3, atol=1e-3)


def test_what_the_network_knows_already_is_left_to_it() -> None:
    rows = torch.randn(60, 5, generator=torch.Generator().manual_seed(1))
    target = (rows[:, :1] > 0).float()
    sure = 12.0 * (2.0 * target - 1.0)
    unsure = _most_probable(rows, torch.zeros(60, 1), target)
    assert float(_most_probable(rows, sure, target).norm()) < 1e-3 * float(unsure.norm())


@pytest.mark.parametrize("build", [0, 1])
def test_rows_of_places_are_joined_and_split_alike(build: int) -> None:
    inputs = batch(build, *drawn(build, 6))
    places = PlaceAnswers(HEADS, SPEC.most_components)
    components = len(BUILDS[build].components)
    answers = {
        "leaks": torch.randn(6 * components, 2),
        "wear": torch.randn(6 * components, 1),
        "life": torch.randn(6, 1),
    }
    row = places.join(inputs, answers)
    assert row.shape == (6, places.size)
    found = places(inputs, row)
    assert all(torch.equal(found[name], answers[name]) for name in answers)
    assert int(row.isnan().sum()) == 6 * (SPEC.most_components - components) * 3
