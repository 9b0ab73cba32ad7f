"""What must reach the answers of a network, and what must not."""

from collections.abc import Callable

import pytest
import torch
from networks import (
    SENSORS,
    Make,
    Physics,
    answers,
    build,
    difference,
    with_lines,
)

from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas import HeadLevel, HeadSpec


@pytest.mark.parametrize("sensor", range(SENSORS))
def test_every_single_sensor_is_heard_in_its_own_window_only(
    diagnoser: TensorDiagnoser, inputs: GraphInputs, sensor: int
) -> None:
    window = 3
    features = diagnoser.normalise(inputs).sensor_features.clone()
    before = diagnoser.model(inputs._replace(sensor_features=features))
    features[window * SENSORS + sensor] += 0.5
    after = diagnoser.model(inputs._replace(sensor_features=features))
    for head in diagnoser.heads:
        rows = inputs.component_graph if head.level is HeadLevel.COMPONENT else inputs.graph_id
        moved = (after.heads[head.name] - before.heads[head.name]).abs().amax(1)
        assert moved[rows == window].max() > 1e-6, head.name
        assert moved[rows != window].max() < 1e-12, head.name


def edge_attribute(column: int) -> Callable[[GraphInputs], GraphInputs]:
    def change(inputs: GraphInputs) -> GraphInputs:
        features = inputs.edge_features.clone()
        features[4, column] += 0.5
        return inputs._replace(edge_features=features)

    return change


def reversed_line(inputs: GraphInputs) -> GraphInputs:
    index = inputs.edge_index.clone()
    index[:, 0] = index[:, 0].flip(0)
    return inputs._replace(edge_index=index)


def missing_line(inputs: GraphInputs) -> GraphInputs:
    return with_lines(inputs, slice(2, None))


def other_order_of_steps(inputs: GraphInputs) -> GraphInputs:
    features, observed = inputs.sensor_features.clone(), inputs.sensor_observed.clone()
    first = slice(0, SENSORS)
    features[first] = features[first].flip(1)
    observed[first] = observed[first].flip(1)
    return inputs._replace(sensor_features=features, sensor_observed=observed)


def unobserved_step(inputs: GraphInputs) -> GraphInputs:
    observed = inputs.sensor_observed.clone()
    observed[0, 5] = False
    return inputs._replace(sensor_observed=observed)


def other_kind(field: str, row: int) -> Callable[[GraphInputs], GraphInputs]:
    def change(inputs: GraphInputs) -> GraphInputs:
        kinds = getattr(inputs, field).clone()
        kinds[row] = (kinds[row] + 1) % 3
        return inputs._replace(**{field: kinds})

    return change


def moved_sensor(inputs: GraphInputs) -> GraphInputs:
    component = inputs.sensor_component.clone()
    component[0] += 1
    return inputs._replace(sensor_component=component)


@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(edge_attribute(i), id=f"edge attribute {i}") for i in range(8)),
        reversed_line,
        missing_line,
        other_order_of_steps,
        unobserved_step,
        pytest.param(other_kind("sensor_kind", 0), id="sensor kind"),
        pytest.param(other_kind("sensor_slot", 0), id="sensor identity"),
        pytest.param(other_kind("component_kind", 0), id="component kind"),
        # The accumulator: a component without sensors.
        pytest.param(other_kind("component_kind", 3), id="kind of a component without sensors"),
        moved_sensor,
    ],
)
def test_every_group_of_inputs_matters(
    make: Make,
    inputs: GraphInputs,
    change: Callable[[GraphInputs], GraphInputs],
) -> None:
    diagnoser = make().eval()
    # Identities start equal, before training: tell them apart.
    assert diagnoser.model.encoder.sensor_slot is not None
    torch.nn.init.normal_(diagnoser.model.encoder.sensor_slot.weight, std=0.2)
    normalised = diagnoser.normalise(inputs)  # identity must matter beyond the normalisation
    with torch.no_grad():
        before = diagnoser.model(normalised).heads
        after = diagnoser.model(change(normalised)).heads
    assert difference(before, after) > 1e-6


@pytest.mark.parametrize("name", ["edge_dynamic", "machine_features"])
def test_known_physics_matter_and_unknown_ones_are_never_read(
    with_physics: Physics, heads: list[HeadSpec], normalizer: FeatureNormalizer, name: str
) -> None:
    spec, inputs, machine_normalizer = with_physics
    diagnoser = build(spec, heads, normalizer, machine_normalizer).eval()
    before = answers(diagnoser, inputs)
    values, known = getattr(inputs, name), getattr(inputs, f"{name}_mask")
    assert known.any()
    assert not known.all()
    moved = inputs._replace(**{name: torch.where(known, values + 0.5, values)})
    assert difference(before, answers(diagnoser, moved)) > 1e-6
    spoilt = inputs._replace(**{name: values.masked_fill(~known, float("nan"))})
    assert difference(before, answers(diagnoser, spoilt)) == 0.0
    hidden = inputs._replace(**{f"{name}_mask": torch.zeros_like(known)})
    assert difference(before, answers(diagnoser, hidden)) > 1e-6


@pytest.mark.parametrize("value", [1e6, float("nan"), float("inf")])
def test_what_stands_at_an_unobserved_step_is_never_read(
    diagnoser: TensorDiagnoser, inputs: GraphInputs, value: float
) -> None:
    hidden = ~inputs.sensor_observed.unsqueeze(-1)
    assert hidden.any()
    spoilt = inputs._replace(sensor_features=inputs.sensor_features.masked_fill(hidden, value))
    assert difference(answers(diagnoser, inputs), answers(diagnoser, spoilt)) == 0.0
    normalised = diagnoser.normalise(inputs)
    spoilt = normalised._replace(
        sensor_features=normalised.sensor_features.masked_fill(hidden, value)
    )
    one, other = diagnoser.model(normalised).heads, diagnoser.model(spoilt).heads
    assert difference(one, other) == 0.0


def test_a_network_without_sensor_identity_cannot_tell_equal_kinds_of_sensors_apart(
    make: Make, inputs: GraphInputs
) -> None:
    diagnoser = make(sensor_identity=False).eval()
    normalised = diagnoser.normalise(inputs)
    elsewhere = normalised._replace(sensor_slot=normalised.sensor_slot.flip(0))
    before, after = diagnoser.model(normalised).heads, diagnoser.model(elsewhere).heads
    assert difference(before, after) == 0.0


def test_without_graph_blocks_the_lines_do_not_matter(make: Make, inputs: GraphInputs) -> None:
    diagnoser = make(spatial_layers=0).eval()
    before = answers(diagnoser, inputs)
    assert difference(before, answers(diagnoser, missing_line(inputs))) == 0.0
