"""The meaning of the numbers in a batch: vocabularies and sizes, fixed for each network."""

from collections.abc import Iterable, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from hydrascope.graphs.edges import edge_known
from hydrascope.graphs.sensor_roles import SensorRole
from hydrascope.schemas import ComponentSpec, ComponentType, GraphTopology, SensorKind, SensorSpec
from hydrascope.schemas.errors import SpecError

_OF = "/"
_FIELDS = {
    "feature_names": "features",
    "machine_feature_names": "features.hydraulic",
    "edge_dynamic_names": "features.edge_dynamic",
    "steps": "data.window.steps",
    "component_heads": "task.heads",
}
"""What windows must share with those of the training, and the settings that decide it."""


def sensor_slot(topology_id: str, sensor_id: str) -> str:
    """Return the name of a sensor's slot, common to all machines of one build."""
    return f"{topology_id}{_OF}{sensor_id}"


KnownBuilds = Literal["known", "any", "own"]
"""Which builds are read with a vocabulary: those that are in it, or any. With `any`, the sensors of
other builds have no slot. With `own`, the builds that are read have the slots instead."""


class InputSpec(BaseModel):
    """The vocabularies of component kinds, sensor kinds and sensor slots, and the tensor sizes.

    They are part of checkpoints and bundles, so that an index means the same everywhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    component_kinds: tuple[str, ...]
    sensor_kinds: tuple[str, ...]
    sensor_slots: tuple[str, ...]
    slot_kinds: tuple[str, ...] = ()
    """The kind of the sensor in each slot; none in files of older versions."""
    sensor_roles: tuple[SensorRole, ...] = ()
    """The roles of the sensors in the slots."""
    feature_names: tuple[str, ...]
    edge_dynamic_names: tuple[str, ...] = ()
    """The dynamic features of lines, if `features.edge_dynamic` is on."""
    masks_lines: bool = False
    """Whether some line has no sizes, so that networks read `edge_features_mask`, too."""
    machine_feature_names: tuple[str, ...] = ()
    """The features of the machine, if `features.hydraulic` is on."""
    nominal_names: tuple[str, ...] = ()
    """The names of the components' nominal values, `ComponentSpec.nominal`."""
    machines: tuple[str, ...] = ()
    """The equipment ids of machines with thresholds of their own."""
    most_components: int = 0
    """The most components of any machine; 0 in files of older versions."""
    steps: int
    component_heads: tuple[str, ...]
    """The component-level heads, in the order of `GraphInputs.component_heads`."""

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
        machines: Iterable[str] = (),
    ) -> "InputSpec":
        """Collect the vocabularies of machines: first built-in kinds, then declared ones.

        The nominal values are those of any machine, sorted by name.
        """
        topologies = list(topologies)
        component_kinds = dict.fromkeys(kind.value for kind in ComponentType)
        sensor_kinds = dict.fromkeys(kind.value for kind in SensorKind)
        slots: dict[str, str] = {}
        roles: dict[SensorRole, None] = {}
        nominal: set[str] = set()
        for topology in topologies:
            nominal.update(name for c in topology.components for name in c.nominal)
            component_kinds.update(dict.fromkeys(c.kind for c in topology.components))
            for component, sensor in topology.sensors:
                sensor_kinds[sensor.kind] = None
                roles[SensorRole.of(topology.components[component], sensor)] = None
                slots[sensor_slot(topology.id, sensor.id)] = sensor.kind
        return cls(
            component_kinds=tuple(component_kinds),
            sensor_kinds=tuple(sensor_kinds),
            sensor_slots=tuple(slots),
            slot_kinds=tuple(slots.values()),
            sensor_roles=tuple(roles),
            feature_names=tuple(feature_names),
            edge_dynamic_names=tuple(edge_dynamic_names),
            masks_lines=any(
                not all(edge_known(edge)) for each in topologies for edge in each.edges
            ),
            machine_feature_names=tuple(machine_feature_names),
            nominal_names=tuple(sorted(nominal)),
            machines=tuple(machines),
            most_components=max((len(each.components) for each in topologies), default=0),
            steps=steps,
            component_heads=tuple(component_heads),
        )

    @property
    def builds(self) -> dict[str, list[int]]:
        """The rows of `sensor_slots` for each build, by topology id."""
        found: dict[str, list[int]] = {}
        for row, slot in enumerate(self.sensor_slots):
            found.setdefault(slot.rpartition(_OF)[0], []).append(row)
        return found

    def component_kind(self, component: ComponentSpec) -> int:
        """Return the row of a component's kind.

        Raises:
            SpecError: The kind is unknown.
        """
        return _row(self.component_kinds, component.kind, f"component {component.id!r}")

    def sensor_kind(self, sensor: SensorSpec) -> int:
        """Return the row of a sensor's kind.

        Raises:
            SpecError: The kind is unknown.
        """
        return _row(self.sensor_kinds, sensor.kind, f"sensor {sensor.id!r}")

    def slot(self, topology_id: str, sensor_id: str) -> int:
        """Return the row of a sensor's slot, or one past the end if it has none."""
        return _place(self.sensor_slots, sensor_slot(topology_id, sensor_id))

    def machine_number(self, equipment_id: str) -> int:
        """Return the row of a machine, or one past the end if it has no thresholds of its own."""
        return _place(self.machines, equipment_id)

    def role(self, component: ComponentSpec, sensor: SensorSpec) -> int:
        """Return the row of a sensor's role, or one past the end if it is unknown."""
        return _place(self.sensor_roles, SensorRole.of(component, sensor))

    def read_by(self, other: "InputSpec", builds: KnownBuilds) -> Self:
        """Return the specification by which windows of `other` are read with this vocabulary.

        Raises:
            SpecError: Features, steps or heads of components differ; names the settings.
        """
        for name, key in _FIELDS.items():
            mine, given = getattr(self, name), getattr(other, name)
            if mine != given:
                raise SpecError(
                    f"{_listed(given)} is not accepted; expected {_listed(mine)}, as in the "
                    "training of the weights",
                    path=key,
                )
        if builds == "own":
            own = {"sensor_slots": other.sensor_slots, "most_components": other.most_components}
            return self.model_copy(update=own)
        return self

    def without_builds(self) -> Self:
        """Return the vocabulary alone, without slots of sensors: every build is unknown."""
        return self.model_copy(update={"sensor_slots": (), "slot_kinds": (), "machines": ()})

    def check_build(self, topology: GraphTopology) -> None:
        """Check that all sensors of a topology have slots.

        Raises:
            SpecError: A sensor has no slot.
        """
        for _, sensor in topology.sensors:
            if self.slot(topology.id, sensor.id) == len(self.sensor_slots):
                raise SpecError(
                    f"sensor {sensor.id!r} of build {topology.id!r} is unknown to this model, "
                    "which has weights or statistics of each single sensor of the builds "
                    f"{', '.join(list(self.builds)[:20])}; accepted: these, or a model of any "
                    "build, such as that of experiment=fleet_unseen_kind"
                )


def _listed(value: object) -> str:
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)


def _row(names: tuple[str, ...], kind: str, of: str) -> int:
    if kind not in names:
        raise SpecError(
            f"{of} is of kind {kind!r}, which is unknown to this model; known: {', '.join(names)}"
        )
    return names.index(kind)


def _place(names: Sequence[object], name: object) -> int:
    return names.index(name) if name in names else len(names)
