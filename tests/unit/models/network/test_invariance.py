"""What changes nothing: another order, other machines beside, what is masked, what comes later."""

import pytest
import torch
from layer_checks import assert_close
from networks import (
    CAUSAL,
    CONFIGS,
    SENSORS,
    STEPS,
    WINDOWS,
    Make,
    answers,
    any_order,
    difference,
    double,
    permuted,
    with_a_masked_sensor_more,
)
from torch import Tensor

from graph_parts import window_fields
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.schemas import GraphTopology, HeadLevel, HeadSpec


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_order_of_components_sensors_and_lines_does_not_matter(
    config: dict[str, object], make: Make, inputs: GraphInputs
) -> None:
    diagnoser = make(**config).eval()
    order, sensors = any_order(), torch.randperm(WINDOWS * SENSORS)
    before, after = answers(diagnoser, inputs), answers(diagnoser, permuted(inputs, order, sensors))
    for head in diagnoser.heads:
        at_component = head.level is HeadLevel.COMPONENT
        expected = before[head.name][order] if at_component else before[head.name]
        assert_close(after[head.name], expected, 1e-5)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_different_machine_in_the_batch_changes_nothing(
    config: dict[str, object],
    make: Make,
    inputs: GraphInputs,
    press: GraphTopology,
    spec: InputSpec,
    heads: list[HeadSpec],
) -> None:
    diagnoser = make(**config).eval()
    layout = GraphLayout.of(press, spec, heads)
    features = 100 * torch.randn(3, 4, STEPS, len(spec.feature_names))
    other = double(layout.batch(window_fields(press, features, torch.rand(3, 4, STEPS) > 0.2)))
    rig, presses = answers(diagnoser, inputs), answers(diagnoser, other)
    for first, second, joined in (
        (rig, presses, concatenate([inputs, other])),
        (presses, rig, concatenate([other, inputs])),
    ):
        both = answers(diagnoser, joined)
        for name in both:
            assert_close(both[name], torch.cat((first[name], second[name])), 1e-5)


WITHOUT_ROW = {name: keys for name, keys in CONFIGS.items() if not keys.get("row_channels")}
"""A row has one place for each sensor of its build, and none for one more."""


@pytest.mark.parametrize("config", WITHOUT_ROW.values(), ids=WITHOUT_ROW)
def test_a_masked_sensor_more_changes_nothing(
    config: dict[str, object], make: Make, inputs: GraphInputs
) -> None:
    diagnoser = make(**config).eval()
    normalised = diagnoser.normalise(inputs)
    # The component has no other sensor, and the slot is of another build.
    more = with_a_masked_sensor_more(normalised, component=3, slot=SENSORS)
    with torch.no_grad():
        before, after = (diagnoser.model(batch).heads for batch in (normalised, more))
    assert difference(before, after) < 1e-5


@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
def test_masked_steps_more_change_nothing(
    config: dict[str, object], make: Make, inputs: GraphInputs
) -> None:
    diagnoser = make(**config).eval()
    normalised = diagnoser.normalise(inputs)
    kept = [0, 1, 3, 4, 5, 6, 7, 9, 10, 11]  # the rest: between and behind

    def longer(field: Tensor) -> Tensor:
        fresh = field.new_full((len(field), 13, *field.shape[2:]), 7)
        fresh[:, kept] = field
        return fresh

    observed = torch.zeros(len(normalised.sensor_kind), 13, dtype=torch.bool)
    observed[:, kept] = normalised.sensor_observed
    more = normalised._replace(
        sensor_features=longer(normalised.sensor_features),
        sensor_observed=observed,
        sensor_reference=longer(normalised.sensor_reference),
        sensor_reference_mask=longer(normalised.sensor_reference_mask),
    )
    with torch.no_grad():
        before, after = (diagnoser.model(batch).heads for batch in (normalised, more))
    assert difference(before, after) < 1e-5


FORECASTING = {
    name: config
    for name, config in CAUSAL.items()
    if config.get("use_ar", True) or config.get("use_ma", True)
}


@pytest.mark.parametrize("config", FORECASTING.values(), ids=FORECASTING)
def test_a_forecast_knows_nothing_of_the_step_it_forecasts_and_later_ones(
    config: dict[str, object], make: Make, inputs: GraphInputs
) -> None:
    diagnoser = make(**config).eval()
    normalised = diagnoser.normalise(inputs)
    features = normalised.sensor_features.clone()
    features[:, 6:] += 1.0
    with torch.no_grad():
        before = diagnoser.model(normalised).arma
        after = diagnoser.model(normalised._replace(sensor_features=features)).arma
    assert before is not None
    assert after is not None
    assert_close(after.forecast[:, :7], before.forecast[:, :7], 1e-12)
    assert_close(after.value[:, :6], before.value[:, :6], 1e-12)
    assert (after.value[:, 6:] - before.value[:, 6:]).abs().max() > 1e-3
