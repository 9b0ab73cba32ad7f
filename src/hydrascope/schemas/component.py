"""Components of machines and their sensors."""

from typing import Annotated

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from hydrascope.schemas.base import AnyText, Identifier, Number, Positive, Spec, Text, Word
from hydrascope.schemas.kinds import SENSOR_UNITS, ComponentType, SensorKind


def _suggested(kinds: type[ComponentType] | type[SensorKind]) -> WithJsonSchema:
    """Return a schema with which editors complete built-in kinds and accept declared ones."""
    word = {"type": "string", "pattern": r"^[a-z][a-z0-9_]*$"}
    return WithJsonSchema({"anyOf": [{"enum": [str(kind) for kind in kinds]}, word]})


class SensorSpec(Spec):
    """A sensor of a component."""

    id: Identifier
    """Name in telemetry, unique within the machine."""
    kind: Annotated[Word, _suggested(SensorKind)]
    """Measured quantity."""
    unit: Text
    """Unit of `range`, and of telemetry that names no other unit; one that its kind accepts."""
    rate_hz: Positive
    """Samples per second."""
    range: tuple[Number, Number] | None = None
    """Lowest and highest value that the sensor can measure, in its unit."""
    position: Word | None = None
    """Position on the component, such as inlet or outlet."""
    description: AnyText = ""
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
    """A component with nominal values and any number of sensors."""

    id: Identifier
    """Name in lines, labels and answers, unique within the machine."""
    kind: Annotated[Word, _suggested(ComponentType)]
    """Kind of the component."""
    name: AnyText = ""
    """For people."""
    nominal: dict[Word, Number] = Field(default_factory=dict)
    """Nominal values with the unit in the name: `pressure_bar`, `displacement_cm3`."""
    sensors: tuple[SensorSpec, ...] = ()
    """Sensors on the component."""
