"""Which sensors of the real rig are doubted, when its telemetry is sound and when it is not."""

import numpy as np
import pytest
import torch
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.fitness.screening import Fitness, without
from hydrascope.schemas import fitness
from hydrascope.schemas.fitness import SensorState
from hydrascope.training.fit_plausibility import fit_plausibility

IN_UNITS = [f"patch_{number}" for number in range(6)] + ["mean", "std", "min", "max"]


@pytest.fixture(scope="module")
def judge(rig: HydraulicDataModule) -> Fitness:
    """Fitted to the training and validation windows of one fold."""
    found = Fitness(rig.input_spec, rig.task.heads)
    rows = np.concatenate([rig.split.train, rig.split.val])
    fit_plausibility(found.plausibility, rig, rows, seed=0)
    return found


@pytest.fixture(scope="module")
def unseen(rig: HydraulicDataModule) -> GraphInputs:
    """Windows of conditions that training did not show."""
    return rig.dataset.gather(rig.split.test[::4]).inputs


def slot(spec: InputSpec, sensor: str) -> int:
    (found,) = (row for row, name in enumerate(spec.sensor_slots) if name.endswith(f"/{sensor}"))
    return found


def changed(inputs: GraphInputs, spec: InputSpec, sensor: str, factor: float) -> GraphInputs:
    """Return the windows with a sensor's samples multiplied."""
    features = inputs.sensor_features.clone()
    own = inputs.sensor_slot == slot(spec, sensor)
    for name in IN_UNITS:
        if name in spec.feature_names:
            features[own, :, spec.feature_names.index(name)] *= factor
    return inputs._replace(sensor_features=features)


def states(judge: Fitness, inputs: GraphInputs) -> Tensor:
    """Return the state of each window's sensors, [W, S]."""
    state = judge.screen(inputs).findings[fitness.STATE]
    return state.reshape(len(inputs.graph_id), -1)


def test_sound_windows_of_unseen_conditions_are_plausible(
    judge: Fitness, unseen: GraphInputs
) -> None:
    screened = judge.screen(unseen)
    assert float((states(judge, unseen) != SensorState.SOUND).any(1).double().mean()) <= 0.03
    assert not screened.findings[fitness.UNLIKE].any()
    typicality = screened.findings[fitness.TYPICALITY]
    assert float(typicality.min()) > 0
    assert float(typicality.max()) <= 1
    assert 0.2 < float(typicality.median()) < 0.8


@pytest.mark.parametrize("factor", [10.0, 14.5038, 0.1])
@pytest.mark.parametrize("sensor", ["PS1", "TS3", "CE"])
def test_a_sensor_in_a_wrong_unit_alone_is_blamed_and_its_factor_is_told(
    judge: Fitness, unseen: GraphInputs, rig: HydraulicDataModule, sensor: str, factor: float
) -> None:
    inputs = changed(unseen, rig.input_spec, sensor, factor)
    screened, state = judge.screen(inputs), states(judge, inputs)
    own = torch.zeros(state.shape[1], dtype=torch.bool)
    own[slot(rig.input_spec, sensor)] = True
    assert (state[:, own] == SensorState.DOUBTFUL).all()
    assert float((state[:, ~own] != SensorState.SOUND).double().mean()) < 0.01
    read, expected = (screened.findings[n].flatten() for n in (fitness.READ, fitness.EXPECTED))
    found = (read / expected)[read.isfinite()].median()
    assert float(found) == pytest.approx(factor, rel=0.05)


def test_a_removed_sensor_is_not_seen_by_the_model(
    judge: Fitness, unseen: GraphInputs, rig: HydraulicDataModule
) -> None:
    own = unseen.sensor_slot == slot(rig.input_spec, "PS1")
    screened = judge.screen(changed(unseen, rig.input_spec, "PS1", 10.0)).inputs
    assert not screened.sensor_observed[own].any()
    torch.testing.assert_close(
        screened.sensor_observed, without(unseen, own).sensor_observed, rtol=0, atol=0
    )


def test_a_sensor_that_never_stands_still_is_stuck_when_it_does(
    judge: Fitness, unseen: GraphInputs, rig: HydraulicDataModule
) -> None:
    spec, features = rig.input_spec, unseen.sensor_features.clone()
    own = unseen.sensor_slot == slot(spec, "PS1")
    first = features[own][:, :1, spec.feature_names.index("patch_0")]
    for number, name in enumerate(spec.feature_names):
        level = name in IN_UNITS and name != "std"
        features[own, :, number] = first.expand(-1, features.shape[1]) if level else 0.0
    state = states(judge, unseen._replace(sensor_features=features))
    assert (state[:, slot(spec, "PS1")] == SensorState.STUCK).all()


@pytest.mark.parametrize("steps", [2, 5, 9])
def test_a_window_that_starts_elsewhere_in_the_cycle_is_unlike_and_says_where(
    judge: Fitness, unseen: GraphInputs, steps: int
) -> None:
    rolled = unseen._replace(sensor_features=unseen.sensor_features.roll(-steps, 1))
    found = judge.screen(rolled).findings
    assert found[fitness.UNLIKE].all()
    phase = found[fitness.PHASE].flatten()
    assert float((phase == torch.tensor(steps / 10)).double().mean()) > 0.99


def test_missing_sensors_are_named_and_do_not_make_others_doubtful(
    judge: Fitness, unseen: GraphInputs, rig: HydraulicDataModule
) -> None:
    own = torch.isin(
        unseen.sensor_slot, torch.tensor([slot(rig.input_spec, name) for name in ("PS1", "CE")])
    )
    state = states(judge, without(unseen, own))
    missing = own.reshape(state.shape)
    assert (state[missing] == SensorState.MISSING).all()
    assert float((state[~missing] != SensorState.SOUND).double().mean()) < 0.01


def test_a_build_that_training_did_not_show_is_not_judged(
    judge: Fitness, unseen: GraphInputs, rig: HydraulicDataModule
) -> None:
    unknown = torch.full_like(unseen.sensor_slot, len(rig.input_spec.sensor_slots))
    screened = judge.screen(unseen._replace(sensor_slot=unknown))
    assert not screened.findings[fitness.STATE].any()
    assert screened.findings[fitness.TYPICALITY].isnan().all()
    torch.testing.assert_close(screened.inputs.sensor_observed, unseen.sensor_observed)


def test_before_the_fit_nothing_is_doubted(rig: HydraulicDataModule, unseen: GraphInputs) -> None:
    fresh = Fitness(rig.input_spec, rig.task.heads)
    inputs = changed(unseen, rig.input_spec, "PS1", 1000.0)
    assert (states(fresh, inputs) == SensorState.SOUND).all()


def test_a_fitted_judge_that_is_stored_and_loaded_judges_alike(
    judge: Fitness, unseen: GraphInputs, rig: HydraulicDataModule
) -> None:
    other = Fitness(rig.input_spec, rig.task.heads)
    inputs = changed(unseen, rig.input_spec, "PS1", 10.0)
    other.screen(inputs)  # fills caches that must not outlive the load
    other.load_state_dict(judge.state_dict())
    for name, value in judge.screen(inputs).findings.items():
        torch.testing.assert_close(other.screen(inputs).findings[name], value, equal_nan=True)
