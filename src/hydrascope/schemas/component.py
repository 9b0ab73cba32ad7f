"""A component of a machine and the sensors it carries."""

from typing import Annotated

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text, Word
from hydrascope.schemas.kinds import SENSOR_UNITS, ComponentType, SensorKind


def _suggested(kinds: type[ComponentType] | type[SensorKind]) -> WithJsonSchema:
    """Let editors complete the built-in kinds and still accept declared ones."""
    word = {"type": "string", "pattern": r"^[a-z][a-z0-9_]*$"}
    return WithJsonSchema({"anyOf": [{"enum": [str(kind) for kind in kinds]}, word]})


class SensorSpec(Spec):
    """A sensor: what it measures, in which unit, how often, and where on its component."""

    id: Identifier
    """Its name in telemetry; no other sensor of the machine has it."""
    kind: Annotated[Word, _suggested(SensorKind)]
    """What it measures."""
    unit: Text
    """Unit of `range`, and of its values in telemetry that names no other; one of its kind's."""
    rate_hz: Positive
    """Samples a second."""
    range: tuple[Number, Number] | None = None
    """Lowest and highest value the sensor can give, in its unit."""
    position: Word | None = None
    """Where on the component, such as inlet or outlet."""
    description: str = ""
    """For people."""

    @field_validator("unit")
    @classmethod
    def _unit_of_kind(cls, unit: str, info: ValidationInfo) -> str:
        units = SENSOR_UNITS.get(info.data.get("kind", ""))  # declared kinds: see the topology
        if units and unit not in units:
            raise ValueError(f"a {info.data['kind']} sensor accepts: {', '.join(units)}")
        return unit

    @field_validator("range")
    @classmethod
    def _ascending(cls, range_: tuple[float, float] | None) -> tuple[float, float] | None:
        if range_ and range_[0] >= range_[1]:
            raise ValueError("expected [low, high] with low < high")
        return range_


class ComponentSpec(Spec):
    """A component: its kind, its nominal values and any number of sensors, none included."""

    id: Identifier
    """Its name in lines, labels and answers; no other component of the machine has it."""
    kind: Annotated[Word, _suggested(ComponentType)]
    """What it is."""
    name: str = ""
    """For people."""
    nominal: dict[Word, Number] = Field(default_factory=dict)
    """Nominal values, the unit in the name: `pressure_bar`, `displacement_cm3`."""
    sensors: tuple[SensorSpec, ...] = ()
    """What it carries."""
