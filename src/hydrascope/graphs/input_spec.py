"""What the numbers of a batch mean: vocabularies and counts, fixed when a network is made."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from hydrascope.graphs.sensor_roles import SensorRole
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import ComponentType, GraphTopology, SensorKind

_OF = "/"


def sensor_slot(topology_id: str, sensor_id: str) -> str:
    """Name the place of a sensor in every machine of one build."""
    return f"{topology_id}{_OF}{sensor_id}"


class InputSpec(BaseModel):
    """The vocabulary of component kinds, sensor kinds and sensor slots, and the tensor sizes.

    It travels with the checkpoint and the bundle, so that an index means the same everywhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    component_kinds: tuple[str, ...]
    sensor_kinds: tuple[str, ...]
    sensor_slots: tuple[str, ...]
    slot_roles: tuple[SensorRole, ...] = ()
    """Of the sensor in each slot; none in what older versions wrote."""
    feature_names: tuple[str, ...]
    edge_dynamic_names: tuple[str, ...] = ()
    """None unless `features.edge_dynamic` is on."""
    machine_feature_names: tuple[str, ...] = ()
    """None unless `features.hydraulic` is on."""
    nominal_names: tuple[str, ...] = ()
    """Of the components' nominal values, `ComponentSpec.nominal`."""
    most_components: int = 0
    """Of any machine; 0 in what older versions wrote."""
    steps: int
    component_heads: tuple[str, ...]
    """Names of the component-level heads, in the order of `GraphInputs.component_heads`."""

    @classmethod
    def of(
        cls,
        topologies: Iterable[GraphTopology],
        feature_names: Iterable[str],
        steps: int,
        component_heads: Iterable[str],
        *,
        edge_dynamic_names: Iterable[str] = (),
        machine_feature_names: Iterable[str] = (),
    ) -> "InputSpec":
        """Collect the vocabularies: all built-in kinds first, then those the machines declare.

        Nominal values are those that any of the machines has, sorted by name.
        """
        topologies = list(topologies)
        component_kinds = dict.fromkeys(kind.value for kind in ComponentType)
        sensor_kinds = dict.fromkeys(kind.value for kind in SensorKind)
        slots: dict[str, SensorRole] = {}
        nominal: set[str] = set()
        for topology in topologies:
            nominal.update(name for c in topology.components for name in c.nominal)
            component_kinds.update(dict.fromkeys(c.kind for c in topology.components))
            for component, sensor in topology.sensors:
                sensor_kinds[sensor.kind] = None
                role = SensorRole.of(topology.components[component], sensor)
                slots[sensor_slot(topology.id, sensor.id)] = role
        return cls(
            component_kinds=tuple(component_kinds),
            sensor_kinds=tuple(sensor_kinds),
            sensor_slots=tuple(slots),
            slot_roles=tuple(slots.values()),
            feature_names=tuple(feature_names),
            edge_dynamic_names=tuple(edge_dynamic_names),
            machine_feature_names=tuple(machine_feature_names),
            nominal_names=tuple(sorted(nominal)),
            most_components=max((len(each.components) for each in topologies), default=0),
            steps=steps,
            component_heads=tuple(component_heads),
        )

    @property
    def builds(self) -> dict[str, list[int]]:
        """Return the rows of `sensor_slots` of each build, by the name of its topology."""
        found: dict[str, list[int]] = {}
        for row, slot in enumerate(self.sensor_slots):
            found.setdefault(slot.rpartition(_OF)[0], []).append(row)
        return found

    def component_kind(self, kind: str) -> int:
        """Return the row of a component kind."""
        return _row(self.component_kinds, kind, "component kind")

    def sensor_kind(self, kind: str) -> int:
        """Return the row of a sensor kind."""
        return _row(self.sensor_kinds, kind, "sensor kind")

    def slot(self, topology_id: str, sensor_id: str) -> int:
        """Return the row of a sensor's place in its topology."""
        return _row(self.sensor_slots, sensor_slot(topology_id, sensor_id), "sensor")


def _row(names: tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        raise SpecError(f"{what} {name!r} is unknown to this network; known: {', '.join(names)}")
    return names.index(name)
