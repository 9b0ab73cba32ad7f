"""Specifications of machines, sensors and tasks."""

from hydrascope.schemas.component import ComponentSpec, SensorSpec
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.json_schema import json_schema
from hydrascope.schemas.kinds import SENSOR_UNITS, ComponentType, EdgeType, Material, SensorKind
from hydrascope.schemas.machine import EquipmentMetadata, Machine
from hydrascope.schemas.task import ClassSpec, HeadKind, HeadLevel, HeadSpec, TaskSpec
from hydrascope.schemas.time import TimeWindow
from hydrascope.schemas.topology import EdgeSpec, GraphTopology

__all__ = [
    "SENSOR_UNITS",
    "ClassSpec",
    "ComponentSpec",
    "ComponentType",
    "EdgeSpec",
    "EdgeType",
    "EquipmentMetadata",
    "GraphTopology",
    "HeadKind",
    "HeadLevel",
    "HeadSpec",
    "Machine",
    "Material",
    "SensorKind",
    "SensorSpec",
    "SpecError",
    "TaskSpec",
    "TimeWindow",
    "json_schema",
    "validate",
]
