"""One machine: who it is and how it is built; with all names that a machine file is made of."""

import hashlib
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from hydrascope.schemas.base import Identifier, Number, Spec, Text, Word
from hydrascope.schemas.component import ComponentSpec, SensorSpec
from hydrascope.schemas.errors import validate
from hydrascope.schemas.kinds import SENSOR_UNITS, ComponentType, EdgeType, Material, SensorKind
from hydrascope.schemas.topology import EdgeSpec, GraphTopology
from hydrascope.schemas.yaml_file import load_yaml

__all__ = [
    "SENSOR_UNITS",
    "ComponentSpec",
    "ComponentType",
    "EdgeSpec",
    "EdgeType",
    "EquipmentMetadata",
    "GraphTopology",
    "Machine",
    "Material",
    "SensorKind",
    "SensorSpec",
]


class EquipmentMetadata(Spec):
    """Who a machine is: its name plate."""

    equipment_id: Identifier
    """Its name in telemetry, labels and answers."""
    name: Text
    """For people."""
    manufacturer: Text | None = None
    """Who built it."""
    model: Text | None = None
    """What its maker calls it."""
    serial_number: Text | None = None
    """Its maker's number of it."""
    commissioned: date | None = None
    """First day of service; the age of the machine's lines counts from it."""
    maintenance: tuple[date, ...] = ()
    """Days on which the machine was serviced, in any order."""
    location: Text | None = None
    """Where it stands."""
    nominal: dict[Word, Number] = Field(default_factory=dict)
    """Nominal values of the whole machine, the unit in the name: `pressure_bar`, `power_kw`; of its
    oil: `viscosity_40_c_mm2_s`, `viscosity_100_c_mm2_s`, `density_15_c_kg_m3`, `expansion_per_k`.
    """


class Machine(Spec):
    """The content of a machine file."""

    schema_version: Literal[1] = 1
    """Form of this file."""
    equipment: EquipmentMetadata
    """Who the machine is."""
    topology: GraphTopology
    """How it is built."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all content, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a machine file.

        Raises:
            SpecError: Naming every fault of the file, one line each.
        """
        return validate(cls, load_yaml(Path(path)), source=str(path))
