"""Rules by which rows become samples: sensors, units and accepted rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from hydrascope.schemas import Machine, SensorSpec
from hydrascope.schemas.samples import SensorKey
from hydrascope.telemetry.folder.quality import QualityNames, canonical
from hydrascope.telemetry.folder.settings import ReadingSettings


@dataclass(frozen=True)
class Reading:
    """The rules by which rows become samples."""

    sensors: Mapping[str, Mapping[str, SensorSpec]]
    """The sensors of the machine files, by equipment id and sensor id."""
    aliases: Mapping[str, Mapping[str, str]]
    """The sensor ids of the aliases, by equipment id and alias."""
    time_zone: str | None
    units: Mapping[str, str]
    """The units in the files, by sensor id, if they differ from the machine file."""
    quality_accepted: frozenset[str] | None
    """Flags of good samples, normalised by `folder.quality.canonical`; None accepts all."""
    unlisted: bool = False
    """Whether to read sensors that are in no machine file, too, without conversion."""

    def key(self, equipment_id: str, name: str) -> SensorKey:
        """Return the sensor that a file calls `name`."""
        return equipment_id, self.aliases.get(equipment_id, {}).get(name, name)

    def knows(self, key: SensorKey) -> bool:
        """Return whether a machine file lists this sensor."""
        return key[1] in self.sensors.get(key[0], {})

    def wants(self, key: SensorKey) -> bool:
        """Return whether samples of this sensor are read."""
        return self.unlisted or self.knows(key)


def reading_of(
    machines: Mapping[str, Machine], settings: ReadingSettings, *, unlisted: bool = False
) -> Reading:
    """Return the rules for these machines and settings."""
    accepted = settings.quality_accepted
    return Reading(
        sensors={
            name: {sensor.id: sensor for _, sensor in machine.topology.sensors}
            for name, machine in machines.items()
        },
        aliases={name: machine.sensor_names for name, machine in machines.items()},
        time_zone=settings.time_zone,
        units=settings.units,
        quality_accepted=frozenset(map(canonical, accepted)) if accepted is not None else None,
        unlisted=unlisted,
    )


def quality_names(machines: Mapping[str, Machine], settings: ReadingSettings) -> QualityNames:
    """Return the names that determine which columns hold flags."""
    names = (
        name
        for machine in machines.values()
        for name in (*(sensor.id for _, sensor in machine.topology.sensors), *machine.sensor_names)
    )
    return QualityNames(settings.quality_column, frozenset(names))
