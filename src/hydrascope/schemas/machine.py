"""Machines, and the content of machine files."""

import hashlib
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hydrascope.schemas.base import Identifier, Number, Spec, Text, Texts, Word
from hydrascope.schemas.consistency import strange_aliases
from hydrascope.schemas.errors import refuse, validate
from hydrascope.schemas.topology import GraphTopology
from hydrascope.schemas.yaml_file import load_yaml


class _Identified(Spec):
    equipment_id: Identifier
    """Name in telemetry, labels and answers."""


class NamePlate(Spec):
    """What the name plates of machines of one build have in common."""

    name: Text
    """For people."""
    manufacturer: Text | None = None
    """Name of the manufacturer."""
    model: Text | None = None
    """Manufacturer's name of the model."""
    serial_number: Text | None = None
    """Manufacturer's serial number."""
    commissioned: date | None = None
    """First day of service, from which the age of the lines counts."""
    maintenance: tuple[date, ...] = ()
    """Days on which the machine was serviced, in any order."""
    location: Text | None = None
    """Where the machine is."""
    nominal: dict[Word, Number] = Field(default_factory=dict)
    """Nominal values with the unit in the name: `pressure_bar`, `power_kw`; of the oil:
    `viscosity_40_c_mm2_s`, `viscosity_100_c_mm2_s`, `density_15_c_kg_m3`, `expansion_per_k`."""
    aliases: dict[Identifier, Texts] = Field(default_factory=dict)
    """Further names of its sensors where their values come from, by sensor id: `p_out: 4711.PV`,
    `t_oil: [Hydraulik/Druck 1, TT 102]`."""


class EquipmentMetadata(NamePlate, _Identified):
    """The name plate of a machine."""


class EquipmentGroup(NamePlate):
    """The name plates of several machines of one build; each is called by `name` and its id."""

    equipment_ids: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Names in telemetry, labels and answers: ids, ranges such as `engine_{1..100}`, and patterns
    such as `engine_*`, which stand for all ids in the telemetry that match."""


class SimulationSpec(Spec):
    """What a simulation of the machine leaves out."""

    exclude_faults: tuple[Text, ...] = ()
    """Faults that the machine cannot have: `overheating` for all components, `pump.cavitation` for
    one."""


class MachineFile(Spec):
    """The content of a machine file, for one machine or several of one build."""

    schema_version: Literal[1] = 1
    """Version of the file's format."""
    equipment: EquipmentMetadata | EquipmentGroup
    """Name plate of the machine or machines."""
    topology: GraphTopology
    """Components and lines."""
    simulation: SimulationSpec = SimulationSpec()
    """For simulations only; no network reads it."""

    @model_validator(mode="after")
    def _aliases_of_sensors(self) -> Self:
        # Not from `topology.sensors`: once cached, it would go into changed copies of the topology.
        ids = [sensor.id for each in self.topology.components for sensor in each.sensors]
        if faults := list(strange_aliases(self.equipment.aliases, ids)):
            raise refuse(type(self).__name__, faults)
        return self

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a machine file.

        Raises:
            SpecError: The file is invalid; the message has one line for each fault.
        """
        return validate(cls, load_yaml(Path(path)), source=str(path))


class MachineGroup(MachineFile):
    """A machine file of several machines."""

    equipment: EquipmentGroup


class Machine(MachineFile):
    """A machine: its name plate and its topology."""

    equipment: EquipmentMetadata

    @property
    def sensor_names(self) -> dict[str, str]:
        """Return the sensor id of each alias."""
        aliases = self.equipment.aliases.items()
        return {name: sensor_id for sensor_id, names in aliases for name in names}

    @cached_property
    def digest(self) -> str:
        """The hexadecimal SHA-256 of all content but `simulation`."""
        content = self.model_dump_json(exclude={"simulation"})
        return hashlib.sha256(content.encode()).hexdigest()
