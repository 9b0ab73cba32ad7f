"""The table `hydrascope.telemetry`, with one row per sample."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.errors import SpecError, closest
from hydrascope.telemetry.times import as_microseconds, as_time
from hydrascope.telemetry.timescale.copy_format import RowFormat, from_postgres_us
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.telemetry.timescale.tables import (
    FetchedSamples,
    Selection,
    code_type,
    copy_out,
    write_counters,
)

READ_ROWS = RowFormat({"time": "i8", "sensor": "i4", "value": "f8"})

_WHERE = """
FROM hydrascope.telemetry
WHERE sensor_key = ANY (%1$L::integer[]) AND time >= %2$L::timestamptz AND time < %3$L::timestamptz
"""
_READ = "SELECT time, sensor_key, value" + _WHERE
_ACCEPTED = " AND quality = ANY (%4$L::smallint[])"
_COUNT = """
SELECT count(*) FROM hydrascope.telemetry
WHERE sensor_key = ANY ($1::integer[]) AND time >= $2 AND time < $3
"""
_BOUNDS = """
SELECT min(first), max(last)
FROM unnest($1::integer[]) AS each (key)
CROSS JOIN LATERAL (
    SELECT min(time) AS first, max(time) AS last FROM hydrascope.telemetry
    WHERE sensor_key = key AND time > '-infinity' AND time < 'infinity'
) AS ends
"""
_STATE = """
SELECT equipment.revision, max(last)::text AS last,
       'hydrascope.telemetry'::regclass::oid AS relation
FROM hydrascope.equipment
LEFT JOIN hydrascope.sensors USING (equipment_key)
LEFT JOIN LATERAL (
    SELECT max(time) AS last FROM hydrascope.telemetry AS t WHERE t.sensor_key = sensors.sensor_key
) AS ends ON true
WHERE equipment_id = $1
GROUP BY equipment.revision
"""


class NarrowTable:
    """Hydrascope's own table of the registered machines and sensors."""

    async def sensors(self, connection: Connection, equipment_id: str) -> dict[str, str | None]:
        """Return the unit of each sensor."""
        rows = await connection.fetch(
            """
            SELECT sensor_id, unit FROM hydrascope.sensors
            JOIN hydrascope.equipment USING (equipment_key)
            WHERE equipment_id = $1 ORDER BY sensor_key
            """,
            equipment_id,
        )
        if not rows:
            await refuse_unknown_equipment(connection, equipment_id)
        return {row["sensor_id"]: row["unit"] for row in rows}

    async def bounds_us(
        self, connection: Connection, equipment_id: str, sensors: Sequence[str]
    ) -> tuple[int, int] | None:
        """Return the first and last time, from the index."""
        keys = await sensor_keys(connection, equipment_id, sensors)
        first, last = await connection.fetchrow(_BOUNDS, keys)
        return None if first is None else (as_microseconds(first), as_microseconds(last))

    async def count(self, connection: Connection, selection: Selection) -> int:
        """Count the rows of any quality, from the index."""
        keys = await sensor_keys(connection, selection.equipment_id, selection.sensors)
        ends = as_time(selection.first_us), as_time(selection.end_us)
        return int(await connection.fetchval(_COUNT, keys, *ends))

    async def read(self, connection: Connection, selection: Selection) -> list[FetchedSamples]:
        """Copy the rows."""
        keys = await sensor_keys(connection, selection.equipment_id, selection.sensors)
        ends = as_time(selection.first_us), as_time(selection.end_us)
        values: list[object] = [_array(keys), *ends]
        template = _READ
        if selection.quality is not None:
            template += _ACCEPTED
            values.append(_array(selection.quality))
        # Keys are small numbers, so a lookup table is faster than a search.
        position = np.zeros(max(keys, default=0) + 1, dtype=code_type(len(keys)))
        position[keys] = np.arange(len(keys))

        def rows(columns: dict[str, NDArray[Any]]) -> FetchedSamples:
            time_us = from_postgres_us(columns["time"])
            return FetchedSamples(time_us, position[columns["sensor"]], columns["value"])

        return await copy_out(connection, READ_ROWS, rows, template, *values)

    async def state(self, connection: Connection, equipment_id: str) -> str | None:
        """Join the counters, which lag, with the machine's revision and last time."""
        row = await connection.fetchrow(_STATE, equipment_id)
        if row is None:
            return None
        counters = await write_counters(connection, row["relation"])
        return None if counters is None else f"{row['revision']} {row['last']} {counters}"


async def sensor_keys(
    connection: Connection, equipment_id: str, sensors: Sequence[str]
) -> list[int]:
    """Return the key of each sensor.

    Raises:
        SpecError: The machine or a sensor is unknown; the message lists those that exist.
    """
    rows = await connection.fetch(
        """
        SELECT sensor_id, sensor_key FROM hydrascope.sensors
        JOIN hydrascope.equipment USING (equipment_key) WHERE equipment_id = $1
        """,
        equipment_id,
    )
    if not rows:
        await refuse_unknown_equipment(connection, equipment_id)
    known = {row["sensor_id"]: row["sensor_key"] for row in rows}
    refuse_unknown_sensors(equipment_id, sensors, list(known))
    return [known[name] for name in sensors]


async def named_sensor_keys(
    connection: Connection, equipment_id: str, names: Sequence[str]
) -> list[int]:
    """Return the key of each sensor, given by its id or by an alias of the machine file.

    Raises:
        SpecError: As `sensor_keys`.
    """
    stored = await connection.fetchval(
        "SELECT metadata -> 'aliases' FROM hydrascope.equipment WHERE equipment_id = $1",
        equipment_id,
    )
    aliases: dict[str, list[str]] = json.loads(stored or "{}")
    sensor_of = {name: sensor_id for sensor_id, others in aliases.items() for name in others}
    return await sensor_keys(connection, equipment_id, [sensor_of.get(n, n) for n in names])


def refuse_unknown_sensors(equipment_id: str, sensors: Sequence[str], known: Sequence[str]) -> None:
    """Refuse unknown sensors.

    Raises:
        SpecError: A sensor is unknown; the message lists those that exist.
    """
    accepted = set(known)
    for name in sensors:
        if name not in accepted:
            listed = ", ".join(known[:20]) + (" …" if len(known) > 20 else "")
            hint = closest(name, known)
            raise SpecError(f"{equipment_id}: no sensor {name!r}; there are: {listed}{hint}")


async def refuse_unknown_equipment(connection: Connection, equipment_id: str) -> None:
    """Refuse a machine that is unknown or has no sensors.

    Raises:
        SpecError: Always; the message lists the machines that exist.
    """
    rows = await connection.fetch(
        "SELECT equipment_id FROM hydrascope.equipment ORDER BY equipment_key LIMIT 20"
    )
    known = [row["equipment_id"] for row in rows]
    listed = ", ".join(map(repr, known)) or "none yet"
    if equipment_id in known:
        raise SpecError(f"machine {equipment_id!r} has no sensors")
    raise SpecError(
        f"no machine {equipment_id!r}; there is: {listed}{closest(equipment_id, known)}"
    )


def _array(values: Sequence[int]) -> str:
    return "{" + ",".join(str(int(value)) for value in values) + "}"
