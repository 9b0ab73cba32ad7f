"""Batches of graphs, against PyTorch Geometric's own batching of one graph a window."""

import math
from typing import Any, NamedTuple

import pytest
import torch
from torch_geometric.data import Batch, Data

from graph_parts import window_fields
from hydrascope.graphs.edges import edge_features
from hydrascope.graphs.fields import GraphInputs, SensorReference, WindowFields
from hydrascope.graphs.graph import BATCH_ONLY
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.graphs.sensor_roles import SensorRole
from hydrascope.schemas import GraphTopology, HeadLevel, HeadSpec, SpecError, TaskSpec, validate
from hydrascope.telemetry import ZemaSource

STEPS, FEATURES = 3, 5


class WindowGraph(Data):
    """One window of one machine, made sensor by sensor and line by line from its topology."""

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self.num_nodes if key in ("edge_index", "sensor_component") else 0


class Windows(NamedTuple):
    topology: GraphTopology
    fields: WindowFields
    reference: SensorReference

    def graphs(self, spec: InputSpec, heads: list[HeadSpec]) -> list[WindowGraph]:
        topology = self.topology
        place = {component.id: row for row, component in enumerate(topology.components)}
        ends, lines = [], []
        for edge in topology.edges:
            there = (place[edge.source], place[edge.target])
            for way in (there, there[::-1]) if edge.bidirectional else (there,):
                ends.append(way)
                lines.append(edge_features(edge))
        sensors = [(c, sensor) for c in topology.components for sensor in c.sensors]
        slots = [spec.sensor_slots.index(f"{topology.id}/{sensor.id}") for _, sensor in sensors]
        kinds = [spec.sensor_kinds.index(sensor.kind) for _, sensor in sensors]
        roles = [spec.sensor_roles.index(SensorRole.of(*each)) for each in sensors]
        ranges = [sensor.range or (0.0, 1.0) for _, sensor in sensors]
        return [
            WindowGraph(
                num_nodes=len(topology.components),
                sensor_features=fields.sensor_features,
                sensor_observed=fields.sensor_observed,
                sensor_reference=self.reference.sensor_reference,
                sensor_reference_mask=self.reference.sensor_reference_mask,
                sensor_slot=torch.tensor(slots),
                sensor_kind=torch.tensor(kinds),
                sensor_role=torch.tensor(roles),
                sensor_span=torch.tensor([high - low for low, high in ranges]),
                sensor_component=torch.tensor([place[c.id] for c, _ in sensors]),
                sensor_place=len(place) + torch.arange(len(sensors)),
                component_place=torch.arange(len(place)),
                component_kind=torch.tensor(
                    [spec.component_kinds.index(c.kind) for c in topology.components]
                ),
                component_heads=torch.tensor(
                    [
                        [not head.components or c.id in head.components for head in heads]
                        for c in topology.components
                    ]
                ),
                component_nominal=torch.tensor(
                    [
                        [_logarithm(c.nominal.get(name, 0.0)) for name in spec.nominal_names]
                        for c in topology.components
                    ]
                ),
                component_nominal_mask=torch.tensor(
                    [
                        [name in c.nominal for name in spec.nominal_names]
                        for c in topology.components
                    ]
                ),
                edge_index=torch.tensor(ends).T,
                edge_features=torch.tensor(lines),
                edge_features_mask=torch.ones(len(lines), 8, dtype=torch.bool),
                edge_dynamic=fields.edge_dynamic,
                edge_dynamic_mask=fields.edge_dynamic_mask,
                machine_features=fields.machine_features.unsqueeze(0),
                machine_features_mask=fields.machine_features_mask.unsqueeze(0),
                machine_number=torch.tensor([0]),  # one past the end of no machines
            )
            for fields in (self.fields.rows(row) for row in torch.arange(len(self.fields[0])))
        ]


def _logarithm(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value)


@pytest.fixture(scope="module")
def rig_topology(zema: ZemaSource) -> GraphTopology:
    return zema.machines()[zema.equipment_id].topology


@pytest.fixture(scope="module")
def heads(task: TaskSpec) -> list[HeadSpec]:
    """The rig's four component heads, and one that applies to every component."""
    wear = {"name": "wear", "level": "component", "kind": "regression"}
    return [*task.heads, validate(HeadSpec, wear)]


@pytest.fixture(scope="module")
def spec(rig_topology: GraphTopology, press: GraphTopology, heads: list[HeadSpec]) -> InputSpec:
    names = [head.name for head in heads if head.level is HeadLevel.COMPONENT]
    feature_names = [f"feature_{i}" for i in range(FEATURES)]
    return InputSpec.of([rig_topology, press], feature_names, STEPS, names)


def windows(topology: GraphTopology, count: int, seed: int) -> Windows:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, len(topology.sensors), STEPS)
    features = torch.randn(*shape, FEATURES, generator=generator)
    observed = torch.rand(shape, generator=generator) > 0.3
    reference = SensorReference(
        torch.randn(*shape[1:], FEATURES, generator=generator),
        torch.rand(shape[1:], generator=generator) > 0.3,
    )
    fields = window_fields(topology, features, observed, dynamic=6, own=4)
    return Windows(topology, fields, reference)


def assert_equals_pyg(inputs: GraphInputs, graphs: list[WindowGraph]) -> None:
    batch = Batch.from_data_list(graphs)
    assert torch.equal(inputs.component_graph, batch.batch)
    assert torch.equal(inputs.graph_id, torch.arange(batch.num_graphs))
    for name in set(GraphInputs._fields) - set(BATCH_ONLY):
        expected, actual = batch[name], getattr(inputs, name)
        assert actual.dtype == expected.dtype, name
        assert torch.equal(actual, expected), name


def test_windows_of_one_machine_are_laid_end_to_end_as_pyg_does_it(
    rig_topology: GraphTopology, press: GraphTopology, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    component_heads = [head for head in heads if head.level is HeadLevel.COMPONENT]
    for topology in (rig_topology, press):
        some = windows(topology, 4, seed=0)
        batch = GraphLayout.of(topology, spec, heads).batch(some.fields, some.reference)
        assert_equals_pyg(batch, some.graphs(spec, component_heads))


def test_batches_of_different_machines_are_joined_as_pyg_does_it(
    rig_topology: GraphTopology, press: GraphTopology, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    component_heads = [head for head in heads if head.level is HeadLevel.COMPONENT]
    parts = [windows(t, n, seed=n) for t, n in ((press, 2), (rig_topology, 3), (press, 1))]
    batches = [
        GraphLayout.of(part.topology, spec, heads).batch(part.fields, part.reference)
        for part in parts
    ]
    graphs = [graph for part in parts for graph in part.graphs(spec, component_heads)]
    assert_equals_pyg(concatenate(batches), graphs)


def test_machines_of_a_build_have_numbers_only_if_the_vocabulary_tells_them_apart(
    press: GraphTopology, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    layout = GraphLayout.of(press, spec, heads)
    assert layout.of_machine("press_1", spec) is layout
    apart = spec.model_copy(update={"machines": ("press_1", "press_2")})
    numbers = [
        GraphLayout.of(press, apart, heads).of_machine(name, apart).machine_number.tolist()
        for name in ("press_2", "press_1", "press_9")
    ]
    assert numbers == [[1], [0], [2]]


def test_a_head_applies_to_the_components_it_names_or_to_all(
    rig_topology: GraphTopology, press: GraphTopology, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    mask = GraphLayout.of(rig_topology, spec, heads).component_heads
    ids = [component.id for component in rig_topology.components]
    named = ["cooler", "valve", "main_pump", "accumulator"]  # in the order of the task's heads
    for column, component in enumerate(named):
        assert [ids[row] for row in mask[:, column].nonzero().flatten()] == [component]
    assert mask[:, 4].all()
    of_press = GraphLayout.of(press, spec, heads).component_heads
    assert not of_press[:, :4].any()
    assert of_press[:, 4].all()


def test_nominal_values_stand_in_logarithms_and_what_is_not_given_is_masked(
    rig_topology: GraphTopology, press: GraphTopology, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    assert spec.nominal_names == ("bore_mm", "displacement_cm3", "precharge_bar", "preload_bar")
    layout = GraphLayout.of(press, spec, heads)
    pump, manifold, cylinder = layout.component_nominal[:3].tolist()
    assert pump == pytest.approx([0.0, math.log(46.0), 0.0, -math.log(3.5)])
    assert manifold == [0.0] * 4
    assert cylinder == pytest.approx([math.log(81.0), 0.0, 0.0, 0.0])
    assert layout.component_nominal_mask[0].tolist() == [False, True, False, True]
    # A name that the network has never seen is not read; one without any name has no columns.
    fewer = spec.model_copy(update={"nominal_names": ("bore_mm",)})
    assert GraphLayout.of(press, fewer, heads).component_nominal_mask.flatten().tolist() == [
        False, False, True, False
    ]  # fmt: skip
    none = GraphLayout.of(press, spec.model_copy(update={"nominal_names": ()}), heads)
    assert none.component_nominal.shape == none.component_nominal_mask.shape == (4, 0)


def test_what_is_not_in_the_vocabulary_is_refused_by_name(
    rig_topology: GraphTopology, press: GraphTopology, heads: list[HeadSpec]
) -> None:
    names = [head.name for head in heads if head.level is HeadLevel.COMPONENT]
    of_rig = InputSpec.of([rig_topology], ["mean"], STEPS, names)
    with pytest.raises(
        SpecError,
        match=r"sensor 'p_pump' of build 'press' is unknown .* builds zema_rig; .*unseen_kind",
    ):
        GraphLayout.of(press, of_rig, heads)
    with pytest.raises(SpecError, match="is of kind 'strain', which is unknown"):
        GraphLayout.of(press, of_rig, heads, any_build=True)
    slots = InputSpec.of([press], ["mean"], STEPS, names).sensor_slots
    same_slots = of_rig.model_copy(update={"sensor_slots": slots})
    with pytest.raises(SpecError, match=r"is of kind 'strain', .*known: pressure, flow"):
        GraphLayout.of(press, same_slots, heads)
    kinds = (*of_rig.sensor_kinds, "strain")
    same_sensors = same_slots.model_copy(update={"sensor_kinds": kinds})
    with pytest.raises(SpecError, match="component 'die' is of kind 'die', which is unknown"):
        GraphLayout.of(press, same_sensors, heads)


def test_a_vocabulary_survives_its_way_through_json(
    rig_topology: GraphTopology, press: GraphTopology
) -> None:
    spec = InputSpec.of([rig_topology, press], ["mean"], STEPS, ["wear"])
    again = InputSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    (die,) = (component for component in press.components if component.kind == "die")
    assert again.component_kind(die) == len(spec.component_kinds) - 1
    # Kinds that are built in keep their rows whatever machines there are.
    alone = InputSpec.of([press], ["mean"], STEPS, ["wear"])
    flow = next(sensor for _, sensor in rig_topology.sensors if sensor.kind == "flow")
    assert alone.sensor_kind(flow) == spec.sensor_kind(flow)
