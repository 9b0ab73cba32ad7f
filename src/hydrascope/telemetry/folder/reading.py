"""How the rows of a folder become samples: which sensors, in which units, which rows count."""

from collections.abc import Mapping
from dataclasses import dataclass

from hydrascope.schemas import Machine, SensorSpec
from hydrascope.telemetry.folder.quality import QualityNames, canonical
from hydrascope.telemetry.folder.settings import ReadingSettings


@dataclass(frozen=True)
class Reading:
    """How rows become samples."""

    sensors: Mapping[str, Mapping[str, SensorSpec]]
    """By equipment id and sensor id, from the machine files."""
    time_zone: str | None
    units: Mapping[str, str]
    """Units that files hold, by sensor id, where they differ from the machine file's."""
    quality_accepted: frozenset[str] | None
    """Flags of good samples, as `folder.quality.canonical` has them; None takes all."""
    unlisted: bool = False
    """Whether to read also what no machine file knows, as it stands."""

    def wants(self, equipment_id: str, sensor_id: str) -> bool:
        """Whether samples of this sensor are read."""
        return self.unlisted or sensor_id in self.sensors.get(equipment_id, {})


def reading_of(
    machines: Mapping[str, Machine], settings: ReadingSettings, *, unlisted: bool = False
) -> Reading:
    """Return how the rows of a table become samples."""
    accepted = settings.quality_accepted
    return Reading(
        sensors={
            name: {sensor.id: sensor for _, sensor in machine.topology.sensors}
            for name, machine in machines.items()
        },
        time_zone=settings.time_zone,
        units=settings.units,
        quality_accepted=frozenset(map(canonical, accepted)) if accepted is not None else None,
        unlisted=unlisted,
    )


def quality_names(machines: Mapping[str, Machine], settings: ReadingSettings) -> QualityNames:
    """Return what decides which columns hold flags."""
    ids = (sensor.id for machine in machines.values() for _, sensor in machine.topology.sensors)
    return QualityNames(settings.quality_column, frozenset(ids))
