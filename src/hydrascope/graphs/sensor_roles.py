"""What part sensors play, in words that machines of different builds share.

Not to be confused with `graphs.roles`, which finds the sensors that features of a whole machine are
made of.
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
"""Kinds of components that take each other's place in machines of different builds."""
PORTS = frozenset(
    {"inlet", "outlet", "drain", "supply", "return", "a", "b", "drop", "coolant", "tank"}
)
"""Positions that mean the same on any machine; others are names of one machine's parts."""
INTERVAL = frozenset({SensorKind.TEMPERATURE})
"""Kinds of sensors whose zero is arbitrary, so that differences count and ratios do not."""


class SensorRole(NamedTuple):
    """The part that a sensor plays."""

    family: str
    """Of its component."""
    sensor: str
    """Its kind, with its port where it has one."""
    interval: bool
    """Whether its kind is one of `INTERVAL`."""

    @classmethod
    def of(cls, component: ComponentSpec, sensor: SensorSpec) -> "SensorRole":
        """Return the role of a sensor of a component."""
        port = sensor.position if sensor.position in PORTS else None
        name = f"{sensor.kind}@{port}" if port else sensor.kind
        return cls(family(component.kind), name, sensor.kind in INTERVAL)


def span(sensor: SensorSpec) -> float:
    """Return the span of a sensor's range, in its unit; 1 where the machine file gives none."""
    low, high = sensor.range or (0.0, 1.0)
    return high - low


def family(kind: str) -> str:
    """Return the family of a kind of components, the kind itself where it is alone."""
    return FAMILIES.get(kind, kind)
