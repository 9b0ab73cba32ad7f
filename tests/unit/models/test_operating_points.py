"""Operating points against distances from numpy, and where they withhold scores."""

import numpy as np
import pytest
import torch
from row_machines import BUILDS, SPEC, batch, drawn

from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.normality.operating import KEPT, OperatingPoints, covariates
from hydrascope.schemas.errors import SpecError

PRESS, ROBOT = 0, 1
COMMAND = SPEC.slot("press", "c")
READ = [0, 1]
"""The features `mean` and `std`; the others are not read."""


@pytest.fixture
def points() -> OperatingPoints:
    found = OperatingPoints(SPEC, covariates(SPEC, None))
    x, reference = drawn(PRESS)
    value, observed = found.points(batch(PRESS, x[:100], reference))
    assert observed.all()
    found.adopt(PRESS, value)
    found.limit[PRESS] = 0.5
    return found


def test_commands_are_covariates_unless_others_are_named() -> None:
    assert covariates(SPEC, None) == [COMMAND]
    assert covariates(SPEC, ()) == []
    assert covariates(SPEC, ("p",)) == [SPEC.slot("press", "p"), SPEC.slot("robot", "p")]
    with pytest.raises(SpecError, match="'c' is no sensor of build 'robot'; accepted: p, t"):
        covariates(SPEC, ("c",))
    assert covariates(SPEC.model_copy(update={"slot_kinds": ()}), None) == []


def test_a_distance_is_that_to_the_nearest_learned_window(points: OperatingPoints) -> None:
    x, reference = drawn(PRESS)
    place = [sensor.id for _, sensor in BUILDS[PRESS].sensors].index("c")
    level = x[:, place].mean(1)[:, READ].double().numpy()
    scaled = level / level[:100].std(0)
    apart = np.sqrt(((scaled[300:, None] - scaled[None, :100]) ** 2).mean(-1)).min(1)
    found = points.distance(batch(PRESS, x[300:], reference))
    np.testing.assert_allclose(found.numpy(), apart, rtol=1e-4)
    share = points(batch(PRESS, x[300:], reference))
    np.testing.assert_allclose(share.numpy(), apart / 0.5, rtol=1e-4)


def test_a_learned_window_is_not_new_and_sensors_that_are_no_covariates_do_not_count(
    points: OperatingPoints,
) -> None:
    x, reference = drawn(PRESS)
    known = x[:5].clone()
    place = [sensor.id for _, sensor in BUILDS[PRESS].sensors].index("p")
    known[:, place] += 1e3
    assert (points(batch(PRESS, known, reference)) < 1e-3).all()
    far = x[:5] + 1e3
    assert (points(batch(PRESS, far, reference)) > 1).all()


def test_builds_without_covariates_and_unobserved_ones_are_not_judged(
    points: OperatingPoints,
) -> None:
    assert points(batch(ROBOT, *drawn(ROBOT))).isnan().all()
    x, reference = drawn(PRESS)
    unseen = torch.zeros(x.shape[:3], dtype=torch.bool)
    assert points(batch(PRESS, x, reference, unseen)).isnan().all()


def test_at_most_so_many_windows_are_kept(points: OperatingPoints) -> None:
    many = torch.randn(3 * KEPT, points.places, 2)
    points.adopt(PRESS, many)
    assert points.kept[PRESS].isfinite().all()
    points.adopt(PRESS, many[:10])
    assert int(points.kept[PRESS].isfinite().all(-1).sum()) == 10


def test_old_vocabularies_have_no_kinds_of_slots() -> None:
    old = SPEC.model_dump(exclude={"slot_kinds"})
    assert InputSpec.model_validate(old).slot_kinds == ()
