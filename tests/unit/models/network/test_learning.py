"""What a network learns and how it answers."""

import pytest
import torch
from networks import (
    COMPONENTS,
    CONFIGS,
    WINDOWS,
    Make,
    Physics,
    build,
    difference,
    training_loss,
)

from hydrascope.data.dataset import TrainingBatch
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas import HeadSpec


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_parameter_learns_from_the_training_loss(
    config: dict[str, object], make: Make, batch: TrainingBatch
) -> None:
    assert_all_learn(make(**config), batch.inputs, batch)


@pytest.mark.parametrize(
    "switched_on", [("edge_dynamic",), ("hydraulic",), ("edge_dynamic", "hydraulic")]
)
def test_every_parameter_learns_with_the_physics_switched_on(
    switched_on: tuple[str, ...],
    with_physics: Physics,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    batch: TrainingBatch,
) -> None:
    spec, inputs, machine_normalizer = with_physics
    if "edge_dynamic" not in switched_on:
        inputs = inputs._replace(
            edge_dynamic=inputs.edge_dynamic[..., :0],
            edge_dynamic_mask=inputs.edge_dynamic_mask[..., :0],
        )
        spec = spec.model_copy(update={"edge_dynamic_names": ()})
    if "hydraulic" not in switched_on:
        inputs = inputs._replace(
            machine_features=inputs.machine_features[..., :0],
            machine_features_mask=inputs.machine_features_mask[..., :0],
        )
        spec = spec.model_copy(update={"machine_feature_names": ()})
    own = machine_normalizer if "hydraulic" in switched_on else None
    assert_all_learn(build(spec, heads, normalizer, own), inputs, batch)


def assert_all_learn(diagnoser: TensorDiagnoser, inputs: GraphInputs, batch: TrainingBatch) -> None:
    output = diagnoser.raw(inputs)
    training_loss(diagnoser, output, batch).backward()
    for name, parameter in diagnoser.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_machine_without_any_observation_gets_finite_answers_and_gradients(
    make: Make, batch: TrainingBatch
) -> None:
    diagnoser = make()
    blind = batch.inputs._replace(
        sensor_observed=torch.zeros_like(batch.inputs.sensor_observed),
        sensor_features=torch.full_like(batch.inputs.sensor_features, float("nan")),
    )
    output = diagnoser.raw(blind)
    assert output.arma is not None
    total = training_loss(diagnoser, output, batch)
    total.backward()
    assert total.isfinite()
    for name, parameter in diagnoser.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


def test_answers_have_the_documented_shapes(
    diagnoser: TensorDiagnoser, inputs: GraphInputs
) -> None:
    shapes = {name: tuple(answer.shape) for name, answer in diagnoser.predict(inputs).items()}
    components = WINDOWS * COMPONENTS
    assert shapes == {
        "cooler": (components, 3),
        "valve": (components, 4),
        "pump": (components, 3),
        "accumulator": (components, 4),
        "stable": (WINDOWS, 1),
        "wear": (components, 1),
    }


def test_a_prediction_is_without_dropout_and_leaves_the_mode_as_it_was(
    make: Make, inputs: GraphInputs
) -> None:
    diagnoser = make(dropout=0.5)
    assert diagnoser.training
    first, second = diagnoser.predict(inputs), diagnoser.predict(inputs)
    assert difference(first, second) == 0.0
    assert diagnoser.training
    assert difference(diagnoser(inputs), diagnoser(inputs)) > 1e-6
    assert not any(answer.requires_grad for answer in first.values())
    torch.testing.assert_close(
        first["valve"].sum(1), torch.ones(WINDOWS * COMPONENTS, dtype=torch.float64)
    )
