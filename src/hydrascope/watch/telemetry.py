"""A machine's good samples, read by time from the database."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hydrascope.schemas.machine import Machine
from hydrascope.schemas.samples import GOOD, Samples, judged
from hydrascope.telemetry.times import as_microseconds, as_time
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.narrow import NarrowTable, sensor_keys
from hydrascope.telemetry.timescale.ordering import in_order
from hydrascope.telemetry.timescale.tables import Selection

_NEXT_GOOD = """
SELECT min(first) FROM unnest($1::integer[]) AS each (key)
CROSS JOIN LATERAL (
    SELECT time AS first FROM hydrascope.telemetry
    WHERE sensor_key = key AND time >= $2 AND time < 'infinity' AND quality = $3
    ORDER BY time LIMIT 1
) AS ends
"""


class Telemetry(NamedTuple):
    """Some of a machine's telemetry."""

    machine: Machine
    first_us: int
    end_us: int
    """Exclusive."""
    samples: Mapping[str, Samples]
    """Good samples in this time by sensor ID, in order of time."""

    @property
    def rows(self) -> int:
        """The number of samples."""
        return sum(len(each.time_us) for each in self.samples.values())

    def equals(self, other: "Telemetry") -> bool:
        """Return whether both hold the same samples."""
        return self.samples.keys() == other.samples.keys() and all(
            np.array_equal(own.time_us, other.samples[name].time_us)
            and np.array_equal(own.value, other.samples[name].value)
            for name, own in self.samples.items()
        )


class TelemetryReader:
    """Reads Hydrascope's own table of telemetry."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = NarrowTable()

    async def read(self, machine: Machine, first_us: int, end_us: int) -> Telemetry:
        """Return the good samples with `first_us <= time < end_us`."""
        return await self._database.run(
            lambda connection: self.read_on(connection, machine, first_us, end_us)
        )

    async def read_on(
        self, connection: Connection, machine: Machine, first_us: int, end_us: int
    ) -> Telemetry:
        """Return the same, read on a connection."""
        sensors = [sensor for _, sensor in machine.topology.sensors]
        names = tuple(sensor.id for sensor in sensors)
        equipment_id = machine.equipment.equipment_id
        chosen = Selection(equipment_id, names, first_us, end_us, (GOOD,))
        rows = in_order(await self._table.read(connection, chosen), len(names))
        ends = np.searchsorted(rows.sensor, np.arange(len(names) + 1))
        samples = {}
        for number, sensor in enumerate(sensors):
            part = slice(ends[number], ends[number + 1])
            samples[sensor.id] = judged(rows.time_us[part], rows.value[part], sensor).good()
        return Telemetry(machine, first_us, end_us, samples)

    async def newest_us(self, machine: Machine) -> int | None:
        """Return the time of the newest sample of any quality; None if there is none."""
        names = [sensor.id for _, sensor in machine.topology.sensors]
        equipment_id = machine.equipment.equipment_id
        ends = await self._database.run(
            lambda connection: self._table.bounds_us(connection, equipment_id, names)
        )
        return None if ends is None else ends[1]

    async def next_good_us(self, machine: Machine, first_us: int) -> int | None:
        """Return the time of the first good sample from a time on; None if there is none."""
        names = [sensor.id for _, sensor in machine.topology.sensors]

        async def work(connection: Connection) -> int | None:
            keys = await sensor_keys(connection, machine.equipment.equipment_id, names)
            found = await connection.fetchval(_NEXT_GOOD, keys, as_time(first_us), GOOD)
            return None if found is None else as_microseconds(found)

        return await self._database.run(work)
