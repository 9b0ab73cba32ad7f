"""Roles of sensors, in terms that machines of different builds share.

In contrast, `graphs.roles` finds the sensors for features of a whole machine.
"""

from collections.abc import Mapping
from typing import NamedTuple

from hydrascope.schemas.component import ComponentSpec, SensorSpec
from hydrascope.schemas.kinds import ComponentType, SensorKind

FAMILIES: Mapping[str, str] = {
    ComponentType.ELECTRIC_MOTOR: "drive",
    ComponentType.COMBUSTION_ENGINE: "drive",
    ComponentType.CYLINDER: "actuator",
    ComponentType.HYDRAULIC_MOTOR: "actuator",
    ComponentType.DIRECTIONAL_VALVE: "valve",
    ComponentType.PROPORTIONAL_VALVE: "valve",
    ComponentType.SERVO_VALVE: "valve",
}
"""The kinds of components that replace each other in machines of different builds."""
PORTS = frozenset(
    {"inlet", "outlet", "drain", "supply", "return", "a", "b", "drop", "coolant", "tank"}
)
"""The positions with the same meaning on any machine; others name parts of one machine."""
USUAL_PORT: Mapping[tuple[str, str], str] = {
    ("accumulator", SensorKind.PRESSURE): "outlet",
    ("actuator", SensorKind.PRESSURE): "a",
    ("cooler", SensorKind.TEMPERATURE): "outlet",
    ("pump", SensorKind.FLOW): "outlet",
    ("pump", SensorKind.PRESSURE): "outlet",
    ("reducing_valve", SensorKind.PRESSURE): "outlet",
    ("valve", SensorKind.PRESSURE): "supply",
}
"""Family and kind of sensor → the port at which it measures if it names no position, as in the
simulation."""
INTERVAL = frozenset({SensorKind.TEMPERATURE})
"""The kinds of sensors with an arbitrary zero, where only differences are meaningful."""


class SensorRole(NamedTuple):
    """The role of a sensor."""

    family: str
    """The family of its component."""
    sensor: str
    """The kind of sensor, with its port if it has one."""
    interval: bool
    """Whether the kind is one of `INTERVAL`."""

    @classmethod
    def of(cls, component: ComponentSpec, sensor: SensorSpec) -> "SensorRole":
        """Return the role of a sensor of a component."""
        own = family(component.kind)
        place = sensor.position or USUAL_PORT.get((own, sensor.kind))
        name = f"{sensor.kind}@{place}" if place in PORTS else sensor.kind
        return cls(own, name, sensor.kind in INTERVAL)


def span(sensor: SensorSpec) -> float:
    """Return the width of a sensor's range in its unit, or 1 without a range."""
    low, high = sensor.range or (0.0, 1.0)
    return high - low


def family(kind: str) -> str:
    """Return the family of a kind of components, or the kind itself if it has none."""
    return FAMILIES.get(kind, kind)
