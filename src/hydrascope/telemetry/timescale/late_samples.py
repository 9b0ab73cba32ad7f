"""Counts samples that are written when their windows have already been diagnosed.

A watch diagnoses each window once. A sample that is written later changes no diagnosis, so its
writer counts it, in the transaction that writes it.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hydrascope.telemetry.times import as_microseconds, as_time
from hydrascope.telemetry.timescale.database import Connection

_UNTIL = """
SELECT sensor_key, covered FROM hydrascope.sensors JOIN hydrascope.watches USING (equipment_key)
WHERE sensor_key = ANY ($1::integer[])
"""
_STAGED = """
SELECT sensor_key, count(*) AS samples, min(staged.time) AS first, max(staged.time) AS last
FROM staged
JOIN hydrascope.sensors USING (sensor_key)
JOIN hydrascope.watches USING (equipment_key)
LEFT JOIN hydrascope.telemetry AS there USING (sensor_key, time)
WHERE staged.time < covered
    AND (there.value, there.quality) IS DISTINCT FROM (staged.value, staged.quality)
GROUP BY sensor_key
"""
_NOTE = """
UPDATE hydrascope.watches SET
    late_samples = late_samples + samples,
    late_first = least(late_first, first),
    late_last = greatest(late_last, last)
FROM (
    SELECT equipment_key, sum(count) AS samples, min(lo) AS first, max(hi) AS last
    FROM unnest($1::integer[], $2::bigint[], $3::timestamptz[], $4::timestamptz[])
        AS each (sensor_key, count, lo, hi)
    JOIN hydrascope.sensors USING (sensor_key) GROUP BY equipment_key
) AS late
WHERE watches.equipment_key = late.equipment_key
"""

LateSamples = Sequence[tuple[int, int, datetime, datetime]]
"""Sensor key, number of samples, first and last time, for each sensor concerned."""


async def diagnosed_until(connection: Connection, sensor_keys: Sequence[int]) -> dict[int, int]:
    """Return by sensor the time in microseconds until which its machine has been diagnosed.

    Sensors of machines that no watch has visited are left out.
    """
    rows = await connection.fetch(_UNTIL, sensor_keys)
    return {row["sensor_key"]: as_microseconds(row["covered"]) for row in rows}


def late_among(
    time_us: NDArray[np.int64], sensor_key: NDArray[np.int32], until_us: dict[int, int]
) -> LateSamples:
    """Return the samples [n] that are earlier than their machine's time, counted by sensor.

    Args:
        time_us: The times [n], ascending for each sensor.
        sensor_key: The keys [n], ascending.
        until_us: As `diagnosed_until` returns it.
    """
    late = []
    for key, limit_us in until_us.items():
        own = time_us[slice(*np.searchsorted(sensor_key, [key, key + 1]))]
        count = int(np.searchsorted(own, limit_us))
        if count:
            late.append((key, count, as_time(int(own[0])), as_time(int(own[count - 1]))))
    return late


async def late_staged(connection: Connection) -> LateSamples:
    """Return the late samples of the temporary table `staged` that are new or differ."""
    return [tuple(row) for row in await connection.fetch(_STAGED)]


async def note_late(connection: Connection, late: LateSamples) -> None:
    """Add samples to the counts of their machines' watches."""
    if late:
        await connection.execute(_NOTE, *(list(column) for column in zip(*late, strict=True)))
