"""The static part of a graph, and its combination with windows to a batch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.features.levels import signed_log
from hydrascope.graphs.edges import EDGE_FEATURE_NAMES, edge_features, edge_known
from hydrascope.graphs.fields import GraphInputs, SensorReference, WindowFields
from hydrascope.graphs.input_spec import InputSpec, KnownBuilds
from hydrascope.graphs.sensor_roles import span
from hydrascope.schemas import GraphTopology, Machine
from hydrascope.schemas.task import HeadLevel, HeadSpec


class GraphLayout(NamedTuple):
    """The fields of a graph that are the same in all windows, as in `GraphInputs`."""

    sensor_slot: Tensor
    sensor_kind: Tensor
    sensor_role: Tensor
    sensor_span: Tensor
    sensor_component: Tensor
    component_kind: Tensor
    component_heads: Tensor
    component_nominal: Tensor
    component_nominal_mask: Tensor
    edge_index: Tensor
    edge_features: Tensor
    edge_features_mask: Tensor
    machine_number: Tensor

    @classmethod
    def of(
        cls,
        topology: GraphTopology,
        spec: InputSpec,
        heads: Iterable[HeadSpec],
        *,
        any_build: bool = False,
    ) -> "GraphLayout":
        """Lay out a topology in the vocabulary of `spec`.

        Nominal values that are not in `spec` are omitted.

        Args:
            topology: Topology of a machine.
            spec: Vocabulary of the network that reads the graphs.
            heads: Heads of the task.
            any_build: Whether to accept sensors without a slot in `spec`, because the network does
                not read slots.

        Raises:
            SpecError: A kind (or a sensor, unless `any_build`) is not in the vocabulary.
        """
        sensors = topology.sensors
        if not any_build:
            spec.check_build(topology)
        index, features, sized = edge_tensors(topology)
        component_heads = [head for head in heads if head.level is HeadLevel.COMPONENT]
        applies = [
            [head.components is None or component.id in head.components for head in component_heads]
            for component in topology.components
        ]
        nominal, known = _nominal(topology, spec.nominal_names)
        return cls(
            sensor_slot=_index(spec.slot(topology.id, sensor.id) for _, sensor in sensors),
            sensor_kind=_index(spec.sensor_kind(sensor) for _, sensor in sensors),
            sensor_role=_index(spec.role(topology.components[c], sensor) for c, sensor in sensors),
            sensor_span=torch.tensor([span(sensor) for _, sensor in sensors], dtype=torch.float32),
            sensor_component=_index(component for component, _ in sensors),
            component_kind=_index(spec.component_kind(c) for c in topology.components),
            component_heads=torch.tensor(applies, dtype=torch.bool).reshape(
                len(topology.components), len(spec.component_heads)
            ),
            component_nominal=nominal,
            component_nominal_mask=known,
            edge_index=index,
            edge_features=features,
            edge_features_mask=sized,
            machine_number=_index([len(spec.machines)]),
        )

    def of_machine(self, equipment_id: str, spec: InputSpec) -> "GraphLayout":
        """Return the layout of one machine of the topology, if `spec` tells machines apart."""
        if not spec.machines:
            return self
        return self._replace(machine_number=_index([spec.machine_number(equipment_id)]))

    @property
    def num_sensors(self) -> int:
        """The number S of sensors of one window."""
        return self.sensor_slot.shape[0]

    @property
    def num_components(self) -> int:
        """The number N of components of one window."""
        return self.component_kind.shape[0]

    def batch(self, windows: WindowFields, reference: SensorReference | None = None) -> GraphInputs:
        """Concatenate B windows of one machine.

        Args:
            windows: Fields of the windows.
            reference: Reference of this machine, if any.
        """
        count = windows.sensor_features.shape[0]
        if reference is None:
            reference = SensorReference.unknown(*windows.sensor_features.shape[1:])
        graph, components = torch.arange(count), self.num_components
        places = components + self.num_sensors
        first_component = (graph * self.num_components).unsqueeze(1)
        edges = self.edge_index.unsqueeze(1) + first_component  # [2, B, E]
        return GraphInputs(
            sensor_features=windows.sensor_features.flatten(0, 1),
            sensor_observed=windows.sensor_observed.flatten(0, 1),
            sensor_reference=reference.sensor_reference.repeat(count, 1, 1),
            sensor_reference_mask=reference.sensor_reference_mask.repeat(count, 1),
            sensor_slot=self.sensor_slot.repeat(count),
            sensor_kind=self.sensor_kind.repeat(count),
            sensor_role=self.sensor_role.repeat(count),
            sensor_span=self.sensor_span.repeat(count),
            sensor_component=(self.sensor_component + first_component).flatten(),
            component_kind=self.component_kind.repeat(count),
            component_graph=graph.repeat_interleave(self.num_components),
            component_heads=self.component_heads.repeat(count, 1),
            component_nominal=self.component_nominal.repeat(count, 1),
            component_nominal_mask=self.component_nominal_mask.repeat(count, 1),
            edge_index=edges.flatten(1),
            edge_features=self.edge_features.repeat(count, 1),
            edge_features_mask=self.edge_features_mask.repeat(count, 1),
            edge_dynamic=windows.edge_dynamic.flatten(0, 1),
            edge_dynamic_mask=windows.edge_dynamic_mask.flatten(0, 1),
            machine_features=windows.machine_features,
            machine_features_mask=windows.machine_features_mask,
            machine_number=self.machine_number.repeat(count),
            graph_id=graph,
            sensor_place=torch.arange(components, places).repeat(count),
            component_place=torch.arange(components).repeat(count),
            place_id=torch.arange(places),
        )


def concatenate(batches: Sequence[GraphInputs]) -> GraphInputs:
    """Join batches of different machines and shift indices of components and graphs."""
    if len(batches) == 1:
        return batches[0]
    components = graphs = 0
    shifted = []
    for batch in batches:
        shifted.append(
            batch._replace(
                sensor_component=batch.sensor_component + components,
                component_graph=batch.component_graph + graphs,
                edge_index=batch.edge_index + components,
                graph_id=batch.graph_id + graphs,
            )
        )
        components += batch.component_kind.shape[0]
        graphs += batch.graph_id.shape[0]
    joined = {
        name: torch.cat([getattr(batch, name) for batch in shifted], dim=int(name == "edge_index"))
        for name in GraphInputs._fields
        if name != "place_id"
    }
    return GraphInputs(**joined, place_id=max((b.place_id for b in batches), key=len))


def edge_tensors(topology: GraphTopology) -> tuple[Tensor, Tensor, Tensor]:
    """Return the index [2, E] int64, the features [E, 8] float32 and their mask [E, 8] bool.

    The names in a batch are `edge_index`, `edge_features` and `edge_features_mask`. A bidirectional
    line has two edges with equal features.
    """
    edges = topology.directed_edges()
    index = torch.tensor([(source, target) for source, target, _ in edges], dtype=torch.int64)
    features = torch.tensor([edge_features(edge) for _, _, edge in edges], dtype=torch.float32)
    known = torch.tensor([edge_known(edge) for _, _, edge in edges], dtype=torch.bool)
    shape = (-1, len(EDGE_FEATURE_NAMES))
    return index.reshape(-1, 2).T.contiguous(), features.reshape(shape), known.reshape(shape)


def _nominal(topology: GraphTopology, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return signed logarithms of nominal values [N, V], and which of them are given."""
    given = [[c.nominal.get(name) for name in names] for c in topology.components]
    shape = (len(topology.components), len(names))
    known = torch.tensor([[each is not None for each in row] for row in given], dtype=torch.bool)
    values = torch.tensor([[each or 0.0 for each in row] for row in given], dtype=torch.float64)
    return signed_log(values).float().reshape(shape), known.reshape(shape)


def _index(rows: Iterable[int]) -> Tensor:
    return torch.tensor(list(rows), dtype=torch.int64)


def layouts_of(
    machines: Mapping[str, Machine],
    spec: InputSpec,
    heads: Sequence[HeadSpec],
    builds: KnownBuilds = "known",
) -> dict[str, GraphLayout]:
    """Return the layout of each machine; machines of equal topology share one object.

    If `spec` tells machines apart, each has its own.

    Raises:
        SpecError: As `GraphLayout.of`.
    """
    layouts: dict[str, GraphLayout] = {}
    by_topology: dict[str, GraphLayout] = {}
    for equipment_id, machine in machines.items():
        key = machine.topology.model_dump_json()
        if key not in by_topology:
            by_topology[key] = GraphLayout.of(
                machine.topology, spec, heads, any_build=builds == "any"
            )
        layouts[equipment_id] = by_topology[key].of_machine(equipment_id, spec)
    return layouts
