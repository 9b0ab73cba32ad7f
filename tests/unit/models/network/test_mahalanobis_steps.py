"""The Mahalanobis distance of steps on real cycles: exact against numpy, unmoved by what is not
observed."""

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
from hydrascope.models.detectors.config import MahalanobisConfig
from hydrascope.models.detectors.mahalanobis import Mahalanobis, sensor_parts
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.normality import COMPONENT, LEVELS, MACHINE, SENSOR
from learned_windows import Learned

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
    """A detector fitted to 300 cycles, each step by itself."""
    spec = rig.input_spec
    shape = (len(spec.sensor_slots), STEPS, len(spec.feature_names))
    normalizer = FeatureNormalizer(*shape, per_step=True, clip=20.0)
    normalizer.fit(rig.training_parts(normalizer))
    model = Mahalanobis(MahalanobisConfig(per_step=True, robust=True), spec)
    normality = Normality(spec, level_share=0.1)
    diagnoser = TensorDiagnoser(normalizer, model, None, normality).eval()
    healthy = windows(rig, torch.arange(0, 2100, 7))
    assert model.fit(Learned(diagnoser.normalise(healthy)), seed=0) == {}
    for table in normality.thresholds().values():
        table.fill_(2.0)
    return diagnoser


def whitened(diagnoser: TensorDiagnoser, inputs: GraphInputs) -> Tensor:
    """Return the whitened features, [S, T, F]."""
    assert isinstance(diagnoser.model, Mahalanobis)
    return diagnoser.model.whitened(diagnoser.normalise(inputs)).own.double()


def hide(inputs: GraphInputs, sensor: int, steps: slice = slice(None)) -> GraphInputs:
    observed = inputs.sensor_observed.clone()
    observed[sensor, steps] = False
    return inputs._replace(sensor_observed=observed)


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
    """They are Σ^(−1/2) (z − μ), the missing z being the likeliest ones."""
    features = len(rig.input_spec.feature_names)
    z = diagnoser.normalise(windows(rig, torch.arange(0, 2100, 7))).sensor_features.double()
    step, window = 5, 2
    train = z.unflatten(0, (-1, SENSORS))[:, :, step].flatten(1).numpy()
    center, scale = train.mean(0), train.std(0)
    varies = scale > 1e-6
    standard = (train - center)[:, varies] / scale[varies]
    covariance, _ = oas(standard, assume_centered=True)
    covariance = covariance * np.outer(scale[varies], scale[varies])
    root = np.linalg.inv(sqrtm(covariance).real)
    for hidden in ([], [4], [4, 11, 12], list(range(1, SENSORS, 2)), list(range(1, SENSORS))):
        given = inputs
        for sensor in hidden:
            given = hide(given, window * SENSORS + sensor)
        mine = whitened(diagnoser, given)[window * SENSORS : (window + 1) * SENSORS, step]
        keep = np.array([s not in hidden for s in range(SENSORS)]).repeat(features)[varies]
        own = diagnoser.normalise(inputs).sensor_features.double()
        own = own[window * SENSORS : (window + 1) * SENSORS, step].flatten().numpy()
        own = (own - center)[varies]
        known = covariance[np.ix_(keep, keep)]
        own[~keep] = covariance[np.ix_(~keep, keep)] @ np.linalg.solve(known, own[keep])
        expected = (root @ own)[keep]
        found = mine.flatten().numpy()[varies][keep]
        np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())
        # The shares of missing sensors are part of the distance of the observed values.
        observed = (own[keep] @ np.linalg.solve(known, own[keep])).item()
        np.testing.assert_allclose((mine.numpy() ** 2).sum(), observed, rtol=1e-3)


def test_a_machines_score_is_the_root_mean_square_of_its_sensors_scores(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    normality = diagnoser.normality
    assert normality is not None
    parts = normality.detected(inputs, diagnoser.raw(inputs)).parts
    scores = {level: normality.score(own).unsqueeze(-1) for level, own in parts.items()}
    sensors = scores[SENSOR].reshape(WINDOWS, SENSORS).double()
    machine = scores[MACHINE].squeeze(1).double()
    torch.testing.assert_close(sensors.square().mean(1).sqrt(), machine, atol=1e-6, rtol=1e-6)
    answers = diagnoser.predict(inputs)
    torch.testing.assert_close(answers[SENSOR], scores[SENSOR] / 2.0)  # the threshold above


@pytest.mark.parametrize("robust", [False, True])
def test_a_sensors_score_weighs_what_changes_in_a_window_ten_times_its_level(
    diagnoser: TensorDiagnoser, inputs: GraphInputs, robust: bool
) -> None:
    normality = diagnoser.normality
    assert normality is not None
    value = 2.0 * torch.randn_like(inputs.sensor_features)
    seen = torch.rand(value.shape[:2]) > 0.3
    seen[:, 0] = True
    found = normality.score(sensor_parts(value * seen.unsqueeze(-1), seen, robust=robust))

    def rho(error: np.ndarray) -> np.ndarray:
        size = np.abs(error)
        return np.where(size <= 1, size**2, 2 * size - 1) if robust else size**2

    for sensor in range(0, WINDOWS * SENSORS, 7):
        own = value[sensor][seen[sensor]].double().numpy()
        level = own.mean(0)
        expected = np.sqrt(rho(own - level).mean() + 0.1 * rho(level).mean())
        assert found[sensor].item() == pytest.approx(expected, rel=1e-5)


def test_beside_a_model_the_detector_gives_the_same_parts(
    diagnoser: TensorDiagnoser, inputs: GraphInputs, rig: HydraulicDataModule
) -> None:
    detector = diagnoser.model
    assert isinstance(detector, Mahalanobis)
    normalised = diagnoser.normalise(inputs)
    beside = Normality(rig.input_spec, beside=detector).detected(normalised, ModelOutput({})).parts
    alone = detector(normalised).parts
    assert alone is not None
    for level in LEVELS:
        assert torch.equal(beside[level], alone[level])
