"""The whole network on real cycles of the rig: what must reach its answers, and what must not."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from layer_checks import assert_close
from torch import Tensor

from graph_parts import stored_windows, window_fields
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.dataset import TrainingBatch
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.graphs.physics import MachinePhysics, edge_dynamic_names
from hydrascope.models.base import NetworkOutput
from hydrascope.models.config import NetworkConfig
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.schemas import GraphTopology, HeadLevel, HeadSpec, TaskSpec, validate
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.tasks.losses import forecast_loss, means, task_losses

ROOT = Path(__file__).parents[3]


class Physics(NamedTuple):
    spec: InputSpec
    inputs: GraphInputs
    machine_normalizer: FeatureNormalizer


def shipped(name: str) -> dict[str, object]:
    """The keys of a file of conf/model over those of the default it builds on."""
    keys = load_yaml(ROOT / "conf" / "model" / f"{name}.yaml")
    assert isinstance(keys, dict)
    base = shipped("gatv2_arma") if "defaults" in keys else {}
    own = {key: value for key, value in keys.items() if key not in ("defaults", "_target_")}
    return base | own | {"hidden_channels": 16, "dropout": 0.0}


CONFIGS: dict[str, dict[str, object]] = {
    **{path.stem: shipped(path.stem) for path in sorted((ROOT / "conf" / "model").iterdir())},
    "arma linear": {"arma": "linear"},
    "arma softmax": {"arma": "softmax"},
    "no identity": {"sensor_identity": False},
    "no graph": {"spatial_layers": 0},
    "no edge features": {"edge_features": False},
    "no MA": {"use_ma": False},
    "no AR": {"use_ar": False},
    "no LSTM": {"states": "linear"},
    "space then time": {"order": "space_then_time"},
    "interleaved": {"order": "interleaved"},
    "attention readout": {"readout": "attention"},
    "task MLP": {"cross_task": "mlp"},
    "no cross-task": {"cross_task": "none"},
}
"""Every shipped model, small, and every switch of the ablations."""

WINDOWS = 6
COMPONENTS, SENSORS, STEPS = 10, 17, 10


@pytest.fixture(scope="module")
def heads(task: TaskSpec) -> list[HeadSpec]:
    """The task of the rig and one head more that applies to every component."""
    wear = {"name": "wear", "level": "component", "kind": "regression"}
    return [*task.heads, validate(HeadSpec, wear)]


@pytest.fixture(scope="module")
def spec(rig: HydraulicDataModule, press: GraphTopology, heads: list[HeadSpec]) -> InputSpec:
    names = [head.name for head in heads if head.level is HeadLevel.COMPONENT]
    topologies = [rig.machines["zema"].topology, press]
    return InputSpec.of(topologies, rig.input_spec.feature_names, STEPS, names)


@pytest.fixture(scope="module")
def normalizer(rig: HydraulicDataModule, spec: InputSpec) -> FeatureNormalizer:
    fitted = FeatureNormalizer(len(spec.sensor_slots), STEPS, len(spec.feature_names), True, 20.0)
    fitted.fit(rig.training_parts())
    return fitted.double()


@pytest.fixture(scope="module")
def batch(rig: HydraulicDataModule, spec: InputSpec, heads: list[HeadSpec]) -> TrainingBatch:
    """Six cycles of different conditions, some steps of some sensors unobserved; double."""
    rows = torch.tensor([5, 400, 800, 1200, 1700, 2100])
    (machine,) = rig.dataset.machines
    fields = stored_windows(machine, rows, rig.machines["zema"].topology)
    observed = fields.sensor_observed.clone()
    observed[1, 3, 4:7] = False
    observed[2, 0] = False
    layout = GraphLayout.of(rig.machines["zema"].topology, spec, heads)
    targets = {name: target[rows].flatten(0, 1) for name, target in machine.targets.items()}
    targets["wear"] = torch.randn(
        WINDOWS * COMPONENTS, 1, generator=torch.Generator().manual_seed(0)
    )
    return TrainingBatch(
        double(layout.batch(fields._replace(sensor_observed=observed))),
        {name: target.double() for name, target in targets.items()},
        rows,
    )


def double(inputs: GraphInputs) -> GraphInputs:
    return GraphInputs(*(f.double() if f.is_floating_point() else f for f in inputs))


@pytest.fixture(scope="module")
def inputs(batch: TrainingBatch) -> GraphInputs:
    return batch.inputs


@pytest.fixture(scope="module")
def with_physics(rig: HydraulicDataModule, spec: InputSpec, batch: TrainingBatch) -> Physics:
    """The same cycles with line dynamics and features of the machine, as the rig can feed them."""
    machine, config = rig.machines["zema"], rig.engineer.config
    config = config.model_copy(update={"edge_dynamic": True, "hydraulic": True})
    (packed,) = rig.dataset.machines
    features, observed, *_ = stored_windows(packed, batch.window, machine.topology)
    end_s = torch.zeros(WINDOWS, dtype=torch.float64)
    fields = MachinePhysics(machine, config).complete(features, observed, end_s)
    names = {
        "edge_dynamic_names": edge_dynamic_names(config),
        "machine_feature_names": config.hydraulic_names,
    }
    inputs = double(
        batch.inputs._replace(
            edge_dynamic=fields.edge_dynamic.flatten(0, 1),
            edge_dynamic_mask=fields.edge_dynamic_mask.flatten(0, 1),
            machine_features=fields.machine_features,
            machine_features_mask=fields.machine_features_mask,
        )
    )
    normalizer = FeatureNormalizer(1, STEPS, 4, True, 20.0)
    own, known = fields.machine_features, fields.machine_features_mask
    normalizer.fit([(torch.zeros(1, dtype=torch.int64), own.unsqueeze(1), known.unsqueeze(1))])
    return Physics(spec.model_copy(update=names), inputs, normalizer.double())


def build(
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    machine_normalizer: FeatureNormalizer | None = None,
    **config: object,
) -> Diagnoser:
    """Fresh weights; double precision, so that small effects and no effect can be told apart."""
    torch.manual_seed(0)
    settings = {"hidden_channels": 16, "attention_heads": 4, "dropout": 0.0} | config
    network = UniversalTemporalGNN(validate(NetworkConfig, settings), spec, heads)
    return Diagnoser(normalizer, network.double(), heads, machine_normalizer)


@pytest.fixture(scope="module")
def diagnoser(spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer) -> Diagnoser:
    return build(spec, heads, normalizer).eval()


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).detach().abs().max()) for name in one)


def answers(diagnoser: Diagnoser, inputs: GraphInputs) -> dict[str, Tensor]:
    with torch.no_grad():
        return diagnoser.raw(inputs).heads


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_parameter_learns_from_the_training_loss(
    config: dict[str, object],
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    batch: TrainingBatch,
) -> None:
    assert_all_learn(build(spec, heads, normalizer, **config), batch.inputs, batch)


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


def assert_all_learn(diagnoser: Diagnoser, inputs: GraphInputs, batch: TrainingBatch) -> None:
    output = diagnoser.raw(inputs)
    training_loss(diagnoser, output, batch).backward()
    for name, parameter in diagnoser.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def training_loss(diagnoser: Diagnoser, output: NetworkOutput, batch: TrainingBatch) -> Tensor:
    losses = task_losses(diagnoser.heads, output.heads, batch.targets, 0.0, {})
    if output.arma is not None:
        losses["forecast"] = forecast_loss(output.arma)
    return means(list(losses.values()))[0].sum()


def test_answers_have_the_documented_shapes(diagnoser: Diagnoser, inputs: GraphInputs) -> None:
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


@pytest.mark.parametrize("sensor", range(SENSORS))
def test_every_single_sensor_is_heard_in_its_own_window_only(
    diagnoser: Diagnoser, inputs: GraphInputs, sensor: int
) -> None:
    window = 3
    features = diagnoser.normalise(inputs).sensor_features.clone()
    before = diagnoser.network(inputs._replace(sensor_features=features))
    features[window * SENSORS + sensor] += 0.5
    after = diagnoser.network(inputs._replace(sensor_features=features))
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


def with_lines(inputs: GraphInputs, chosen: slice | Tensor) -> GraphInputs:
    return inputs._replace(
        edge_index=inputs.edge_index[:, chosen],
        edge_features=inputs.edge_features[chosen],
        edge_dynamic=inputs.edge_dynamic[chosen],
        edge_dynamic_mask=inputs.edge_dynamic_mask[chosen],
    )


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
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    inputs: GraphInputs,
    change: Callable[[GraphInputs], GraphInputs],
) -> None:
    diagnoser = build(spec, heads, normalizer).eval()
    # Identities start equal, before training: tell them apart.
    assert diagnoser.network.encoder.sensor_slot is not None
    torch.nn.init.normal_(diagnoser.network.encoder.sensor_slot.weight, std=0.2)
    normalised = diagnoser.normalise(inputs)  # identity must matter beyond the normalisation
    with torch.no_grad():
        before = diagnoser.network(normalised).heads
        after = diagnoser.network(change(normalised)).heads
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
    diagnoser: Diagnoser, inputs: GraphInputs, value: float
) -> None:
    hidden = ~inputs.sensor_observed.unsqueeze(-1)
    assert hidden.any()
    spoilt = inputs._replace(sensor_features=inputs.sensor_features.masked_fill(hidden, value))
    assert difference(answers(diagnoser, inputs), answers(diagnoser, spoilt)) == 0.0
    normalised = diagnoser.normalise(inputs)
    spoilt = normalised._replace(
        sensor_features=normalised.sensor_features.masked_fill(hidden, value)
    )
    one, other = diagnoser.network(normalised).heads, diagnoser.network(spoilt).heads
    assert difference(one, other) == 0.0


def test_a_machine_without_any_observation_gets_finite_answers_and_gradients(
    spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer, batch: TrainingBatch
) -> None:
    diagnoser = build(spec, heads, normalizer)
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


def permuted(inputs: GraphInputs, order: Tensor) -> GraphInputs:
    """Renumber components so that new row k is old row order[k]; sensors and lines are shuffled."""
    rank = order.argsort()
    sensors = torch.randperm(len(inputs.sensor_kind))
    inputs = with_lines(inputs, torch.randperm(inputs.edge_index.shape[1]))
    return inputs._replace(
        sensor_features=inputs.sensor_features[sensors],
        sensor_observed=inputs.sensor_observed[sensors],
        sensor_slot=inputs.sensor_slot[sensors],
        sensor_kind=inputs.sensor_kind[sensors],
        sensor_component=rank[inputs.sensor_component[sensors]],
        component_kind=inputs.component_kind[order],
        component_graph=inputs.component_graph[order],
        component_heads=inputs.component_heads[order],
        edge_index=rank[inputs.edge_index],
    )


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_order_of_components_sensors_and_lines_does_not_matter(
    config: dict[str, object],
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    inputs: GraphInputs,
) -> None:
    diagnoser = build(spec, heads, normalizer, **config).eval()
    order = torch.cat([graph * COMPONENTS + torch.randperm(COMPONENTS) for graph in range(WINDOWS)])
    before, after = answers(diagnoser, inputs), answers(diagnoser, permuted(inputs, order))
    for head in diagnoser.heads:
        at_component = head.level is HeadLevel.COMPONENT
        expected = before[head.name][order] if at_component else before[head.name]
        assert_close(after[head.name], expected, 1e-5)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_different_machine_in_the_batch_changes_nothing(
    config: dict[str, object],
    inputs: GraphInputs,
    press: GraphTopology,
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
) -> None:
    diagnoser = build(spec, heads, normalizer, **config).eval()
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


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_masked_sensor_more_changes_nothing(
    config: dict[str, object],
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    inputs: GraphInputs,
) -> None:
    diagnoser = build(spec, heads, normalizer, **config).eval()
    normalised = diagnoser.normalise(inputs)
    more = normalised._replace(
        sensor_features=torch.cat((normalised.sensor_features, normalised.sensor_features[:1] + 9)),
        sensor_observed=torch.cat((normalised.sensor_observed, torch.zeros(1, STEPS).bool())),
        sensor_slot=torch.cat((normalised.sensor_slot, normalised.sensor_slot[:1])),
        sensor_kind=torch.cat((normalised.sensor_kind, normalised.sensor_kind[:1])),
        sensor_component=torch.cat((normalised.sensor_component, torch.tensor([3]))),
    )
    with torch.no_grad():
        before, after = (diagnoser.network(batch).heads for batch in (normalised, more))
    assert difference(before, after) < 1e-5


CAUSAL = {n: c for n, c in CONFIGS.items() if c.get("states", "lstm") in ("lstm", "linear")}
"""States of the whole window are not causal, and have no number of steps but their own."""


@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
def test_masked_steps_more_change_nothing(
    config: dict[str, object],
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    inputs: GraphInputs,
) -> None:
    diagnoser = build(spec, heads, normalizer, **config).eval()
    normalised = diagnoser.normalise(inputs)
    kept = [0, 1, 3, 4, 5, 6, 7, 9, 10, 11]  # the rest: between and behind

    def longer(field: Tensor) -> Tensor:
        fresh = field.new_full((len(field), 13, *field.shape[2:]), 7)
        fresh[:, kept] = field
        return fresh

    observed = torch.zeros(len(normalised.sensor_kind), 13, dtype=torch.bool)
    observed[:, kept] = normalised.sensor_observed
    more = normalised._replace(
        sensor_features=longer(normalised.sensor_features), sensor_observed=observed
    )
    with torch.no_grad():
        before, after = (diagnoser.network(batch).heads for batch in (normalised, more))
    assert difference(before, after) < 1e-5


FORECASTING = {
    name: config
    for name, config in CAUSAL.items()
    if config.get("use_ar", True) or config.get("use_ma", True)
}


@pytest.mark.parametrize("config", FORECASTING.values(), ids=FORECASTING)
def test_a_forecast_knows_nothing_of_the_step_it_forecasts_and_later_ones(
    config: dict[str, object],
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    inputs: GraphInputs,
) -> None:
    diagnoser = build(spec, heads, normalizer, **config).eval()
    normalised = diagnoser.normalise(inputs)
    features = normalised.sensor_features.clone()
    features[:, 6:] += 1.0
    with torch.no_grad():
        before = diagnoser.network(normalised).arma
        after = diagnoser.network(normalised._replace(sensor_features=features)).arma
    assert before is not None
    assert after is not None
    assert_close(after.forecast[:, :7], before.forecast[:, :7], 1e-12)
    assert_close(after.value[:, :6], before.value[:, :6], 1e-12)
    assert (after.value[:, 6:] - before.value[:, 6:]).abs().max() > 1e-3


def test_a_network_without_sensor_identity_cannot_tell_equal_kinds_of_sensors_apart(
    spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer, inputs: GraphInputs
) -> None:
    diagnoser = build(spec, heads, normalizer, sensor_identity=False).eval()
    normalised = diagnoser.normalise(inputs)
    elsewhere = normalised._replace(sensor_slot=normalised.sensor_slot.flip(0))
    before, after = diagnoser.network(normalised).heads, diagnoser.network(elsewhere).heads
    assert difference(before, after) == 0.0


def test_without_graph_blocks_the_lines_do_not_matter(
    spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer, inputs: GraphInputs
) -> None:
    diagnoser = build(spec, heads, normalizer, spatial_layers=0).eval()
    before = answers(diagnoser, inputs)
    assert difference(before, answers(diagnoser, missing_line(inputs))) == 0.0


def test_a_prediction_is_without_dropout_and_leaves_the_mode_as_it_was(
    spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer, inputs: GraphInputs
) -> None:
    diagnoser = build(spec, heads, normalizer, dropout=0.5)
    assert diagnoser.training
    first, second = diagnoser.predict(inputs), diagnoser.predict(inputs)
    assert difference(first, second) == 0.0
    assert diagnoser.training
    assert difference(diagnoser(inputs), diagnoser(inputs)) > 1e-6
    assert not any(answer.requires_grad for answer in first.values())
    torch.testing.assert_close(
        first["valve"].sum(1), torch.ones(WINDOWS * COMPONENTS, dtype=torch.float64)
    )
