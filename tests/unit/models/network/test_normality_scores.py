"""Scores of normality on real cycles: causal where they claim, exact against numpy, unmoved by
what is not observed."""

import numpy as np
import pytest
import torch
from networks import (
    COMPONENTS,
    SENSORS,
    STEPS,
    WINDOWS,
    any_order,
    permuted,
    with_a_masked_sensor_more,
)
from scipy.linalg import sqrtm
from sklearn.covariance import oas
from torch import Tensor

from graph_parts import stored_windows
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import ModelOutput
from hydrascope.models.blocks.sensor_forecast import SensorResidual
from hydrascope.models.config import NetworkConfig
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.models.normality.forecast import ForecastNormality
from hydrascope.schemas import validate
from hydrascope.schemas.normality import COMPONENT, LEVELS, MACHINE, SENSOR
from hydrascope.tasks.losses import normality_loss

ROWS = torch.tensor([5, 400, 800, 1200, 1700, 2100])


def windows(rig: HydraulicDataModule, rows: Tensor) -> GraphInputs:
    (machine,) = rig.dataset.machines
    fields = stored_windows(machine, rows, rig.machines["zema"].topology)
    return machine.layout.batch(fields)


@pytest.fixture(scope="module")
def inputs(rig: HydraulicDataModule) -> GraphInputs:
    return windows(rig, ROWS)


@pytest.fixture(scope="module")
def diagnoser(rig: HydraulicDataModule) -> TensorDiagnoser:
    """Normality alone, its whitening fitted on 300 cycles, its forecast not trained."""
    torch.manual_seed(0)
    spec = rig.input_spec
    shape = (len(spec.sensor_slots), STEPS, len(spec.feature_names))
    normalizer = FeatureNormalizer(*shape, per_step=True, clip=20.0)
    normalizer.fit(rig.training_parts(normalizer))
    config = validate(NetworkConfig, {"hidden_channels": 16, "dropout": 0.0})
    normality = ForecastNormality(spec, 16, per_step=True, level_share=0.1)
    torch.nn.init.normal_(normality.forecast.out.weight, std=0.1)
    diagnoser = TensorDiagnoser(
        normalizer, UniversalTemporalGNN(config, spec, []), None, normality
    ).eval()
    healthy = windows(rig, torch.arange(0, 2100, 7))
    with torch.no_grad():
        moments = normality.moments()
        normality.gather(moments, diagnoser.normalise(healthy))
        normality.adopt(moments)
        for table in normality.thresholds().values():
            table.fill_(2.0)
    return diagnoser


def residual_of(diagnoser: TensorDiagnoser, inputs: GraphInputs) -> SensorResidual:
    with torch.no_grad():
        residual = diagnoser.raw(inputs).residual
    assert residual is not None
    return residual


def hide(inputs: GraphInputs, sensor: int, steps: slice = slice(None)) -> GraphInputs:
    observed = inputs.sensor_observed.clone()
    observed[sensor, steps] = False
    return inputs._replace(sensor_observed=observed)


def test_the_forecast_of_a_step_does_not_know_that_step_nor_any_after_it(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    normalised = diagnoser.normalise(inputs)
    normality = diagnoser.normality
    assert normality is not None
    step = 4

    def forecast(features: Tensor) -> Tensor:
        changed = normalised._replace(sensor_features=features)
        with torch.no_grad():
            states = diagnoser.model(changed).states
            return normality.forecast(changed, states, features, changed.sensor_observed)

    before = forecast(normalised.sensor_features)
    features = normalised.sensor_features.clone()
    features[:, step:] += torch.randn_like(features[:, step:])
    after = forecast(features)
    assert torch.equal(after[:, : step + 1], before[:, : step + 1])
    assert (after[:, step + 1 :] - before[:, step + 1 :]).abs().max() > 1e-3


def test_the_first_step_is_forecast_from_nothing(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    normality = diagnoser.normality
    assert normality is not None
    normalised = diagnoser.normalise(inputs)
    features = normalised.sensor_features
    with torch.no_grad():
        states = diagnoser.model(normalised).states
        first = normality.forecast(normalised, states, features, normalised.sensor_observed)[:, 0]
    by_window = first.unflatten(0, (WINDOWS, SENSORS))
    torch.testing.assert_close(by_window, by_window[:1].expand_as(by_window))


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_what_is_not_observed_is_never_read_and_gets_no_score(
    diagnoser: TensorDiagnoser, inputs: GraphInputs, value: float
) -> None:
    hidden = hide(hide(inputs, 3), 20, slice(2, 5))
    spoilt = hidden.sensor_features.masked_fill(~hidden.sensor_observed.unsqueeze(-1), value)
    before = diagnoser.predict(hidden)
    after = diagnoser.predict(hidden._replace(sensor_features=spoilt))
    for level in LEVELS:
        torch.testing.assert_close(after[level], before[level], rtol=0, atol=0, equal_nan=True)
    assert before[SENSOR][3].isnan()
    assert before[SENSOR].isnan().sum() == 1
    assert not before[MACHINE].isnan().any()


def test_a_machine_without_any_observation_and_a_component_without_sensors_have_no_score(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    observed = inputs.sensor_observed.clone()
    observed[:SENSORS] = False
    answers = diagnoser.predict(inputs._replace(sensor_observed=observed))
    assert answers[MACHINE].isnan().squeeze(1).tolist() == [True] + [False] * (WINDOWS - 1)
    scored = ~answers[COMPONENT].isnan().reshape(WINDOWS, COMPONENTS)
    carrying = torch.zeros(COMPONENTS, dtype=torch.bool)
    carrying[inputs.sensor_component[:SENSORS]] = True
    assert not carrying.all()
    assert not scored[0].any()
    assert torch.equal(scored[1], carrying)


def test_an_added_unobserved_sensor_changes_nothing(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    more = with_a_masked_sensor_more(inputs, int(inputs.sensor_component[-1]), SENSORS - 1)
    before, after = diagnoser.predict(inputs), diagnoser.predict(more)
    for level in (MACHINE, COMPONENT):
        torch.testing.assert_close(
            after[level], before[level], atol=1e-5, rtol=1e-5, equal_nan=True
        )
    torch.testing.assert_close(after[SENSOR][:-1], before[SENSOR], atol=1e-5, rtol=1e-5)
    assert after[SENSOR][-1].isnan()


def test_permuting_components_and_sensors_permutes_the_scores(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    order, sensors = any_order(), torch.randperm(WINDOWS * SENSORS)
    other = permuted(inputs, order, sensors)
    before, after = diagnoser.predict(inputs), diagnoser.predict(other)
    near = {"atol": 1e-5, "rtol": 1e-5, "equal_nan": True}
    torch.testing.assert_close(after[MACHINE], before[MACHINE], **near)
    torch.testing.assert_close(after[COMPONENT], before[COMPONENT][order], **near)
    torch.testing.assert_close(after[SENSOR], before[SENSOR][sensors], **near)


def test_features_are_whitened_as_numpy_whitens_them_even_if_some_are_missing(
    diagnoser: TensorDiagnoser, inputs: GraphInputs, rig: HydraulicDataModule
) -> None:
    """With nothing forecast the residual is Σ^(−1/2) z, the missing z being the likeliest ones."""
    normality = diagnoser.normality
    assert normality is not None
    features = len(rig.input_spec.feature_names)
    z = diagnoser.normalise(windows(rig, torch.arange(0, 2100, 7))).sensor_features.double()
    step, window = 5, 2
    train = z.unflatten(0, (-1, SENSORS))[:, :, step].flatten(1).numpy()
    scale = np.sqrt((train**2).mean(0))
    varies = scale > 1e-6
    covariance, _ = oas(train[:, varies] / scale[varies], assume_centered=True)
    covariance = covariance * np.outer(scale[varies], scale[varies])
    root = np.linalg.inv(sqrtm(covariance).real)
    weight = normality.forecast.out.weight.detach().clone()
    try:
        torch.nn.init.zeros_(normality.forecast.out.weight)
        for hidden in ([], [4], [4, 11, 12]):
            given = inputs
            for sensor in hidden:
                given = hide(given, window * SENSORS + sensor)
            residual = residual_of(diagnoser, given).value.double()
            mine = residual[window * SENSORS : (window + 1) * SENSORS, step]
            keep = np.array([s not in hidden for s in range(SENSORS)]).repeat(features)[varies]
            own = diagnoser.normalise(inputs).sensor_features.double()
            own = own[window * SENSORS : (window + 1) * SENSORS, step].flatten().numpy()[varies]
            known = covariance[np.ix_(keep, keep)]
            own[~keep] = covariance[np.ix_(~keep, keep)] @ np.linalg.solve(known, own[keep])
            expected = (root @ own)[keep]
            found = mine.flatten().numpy()[varies][keep]
            np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())
            assert (mine[hidden] == 0).all()
    finally:
        with torch.no_grad():
            normality.forecast.out.weight.copy_(weight)


def test_a_machines_score_is_the_root_mean_square_of_its_sensors_scores(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    normality = diagnoser.normality
    assert normality is not None
    parts = normality.parts(inputs, diagnoser.raw(inputs))
    scores = {level: normality.score(own).unsqueeze(-1) for level, own in parts.items()}
    sensors = scores[SENSOR].reshape(WINDOWS, SENSORS).double()
    machine = scores[MACHINE].squeeze(1).double()
    torch.testing.assert_close(sensors.square().mean(1).sqrt(), machine, atol=1e-6, rtol=1e-6)
    answers = diagnoser.predict(inputs)
    torch.testing.assert_close(answers[SENSOR], scores[SENSOR] / 2.0)  # the threshold above


def test_a_sensors_score_weighs_what_changes_in_a_window_ten_times_its_level(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    normality = diagnoser.normality
    assert normality is not None
    value = 2.0 * torch.randn_like(inputs.sensor_features)
    seen = torch.rand(value.shape[:2]) > 0.3
    seen[:, 0] = True
    residual = SensorResidual(value * seen.unsqueeze(-1), seen)
    found = normality.score(normality.parts(inputs, ModelOutput({}, residual=residual))[SENSOR])

    def rho(error: np.ndarray) -> np.ndarray:
        size = np.abs(error)
        return np.where(size <= 1, size**2, 2 * size - 1)

    for sensor in range(0, WINDOWS * SENSORS, 7):
        own = value[sensor][seen[sensor]].double().numpy()
        level = own.mean(0)
        expected = np.sqrt(rho(own - level).mean() + 0.1 * rho(level).mean())
        assert found[sensor].item() == pytest.approx(expected, rel=1e-5)


def mean_loss(residual: SensorResidual, inputs: GraphInputs, healthy: torch.Tensor) -> torch.Tensor:
    total, weight = normality_loss(residual, inputs, healthy)
    return total / weight


def test_every_parameter_learns_from_the_loss_of_healthy_windows_alone(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    healthy = torch.tensor([1.0, 0.0, float("nan"), 1.0, 1.0, 0.0]).unsqueeze(1)
    output = diagnoser.raw(inputs)
    assert output.residual is not None
    loss = mean_loss(output.residual, inputs, healthy)
    sick = inputs.sensor_features.clone()
    sick[SENSORS : 3 * SENSORS] += 100.0
    changed = diagnoser.raw(inputs._replace(sensor_features=sick)).residual
    assert changed is not None
    torch.testing.assert_close(mean_loss(changed, inputs, healthy), loss)
    assert output.arma is not None
    (loss + output.arma.forecast.square().mean()).backward()
    for name, parameter in diagnoser.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
    assert not torch.equal(mean_loss(changed, inputs, 1 - healthy), loss)
