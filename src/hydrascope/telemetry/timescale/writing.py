"""Idempotent writing of samples by COPY: one row per sensor and instant."""

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import asyncpg
import numpy as np
from numpy.typing import NDArray

from hydrascope.telemetry.times import as_time
from hydrascope.telemetry.timescale.copy_format import POSTGRES_EPOCH_US, RowFormat
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.telemetry.timescale.late_samples import (
    diagnosed_until,
    late_among,
    late_staged,
    note_late,
)

WRITE_ROWS = RowFormat({"time": "i8", "sensor_key": "i4", "value": "f8", "quality": "i2"})
TRANSACTION_ROWS = 250_000
"""The number of rows per transaction, a second or two of work on a small server."""
_ENCODED_ROWS = 2**15

_OCCUPIED = """
SELECT EXISTS (
    SELECT FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) AS each (key, lo, hi)
    WHERE EXISTS (
        SELECT FROM hydrascope.telemetry WHERE sensor_key = key AND time >= lo AND time <= hi
    )
)
"""
_STAGE = """
CREATE TEMPORARY TABLE staged (
    time timestamptz, sensor_key integer, value double precision, quality smallint
) ON COMMIT DROP
"""
# Locking in the order of the keys prevents a deadlock of two writers.
_LOCK = """
SELECT FROM hydrascope.equipment WHERE equipment_key IN (
    SELECT equipment_key FROM hydrascope.sensors WHERE sensor_key = ANY ($1)
) ORDER BY equipment_key FOR NO KEY UPDATE
"""
_REVISE = """
UPDATE hydrascope.equipment SET revision = revision + 1 WHERE equipment_key IN (
    SELECT equipment_key FROM hydrascope.sensors WHERE sensor_key = ANY ($1)
)
"""
_MERGE = """
INSERT INTO hydrascope.telemetry AS there (time, sensor_key, value, quality)
SELECT time, sensor_key, value, quality FROM staged
ON CONFLICT (sensor_key, time) DO UPDATE SET value = excluded.value, quality = excluded.quality
WHERE (there.value, there.quality) IS DISTINCT FROM (excluded.value, excluded.quality)
"""


class Batch(NamedTuple):
    """n samples of registered sensors; all arrays are [n], times since 1970-01-01T00:00Z."""

    time_us: NDArray[np.int64]
    sensor_key: NDArray[np.int32]
    value: NDArray[np.float64]
    quality: NDArray[np.int16]

    def in_order(self) -> "Batch":
        """Sort by sensor and time; of several samples for an instant, keep the last."""
        order = np.lexsort((self.time_us, self.sensor_key))
        time_us, sensor_key = self.time_us[order], self.sensor_key[order]
        differs = (np.diff(time_us) != 0) | (np.diff(sensor_key) != 0)
        order = order[np.append(differs, True)] if len(order) else order
        return self.take(order)

    def take(self, index: NDArray[np.int64] | slice) -> "Batch":
        """Return the samples at `index`."""
        return Batch(
            self.time_us[index], self.sensor_key[index], self.value[index], self.quality[index]
        )

    def split(self, rows: int) -> Iterator["Batch"]:
        """Yield parts of at most `rows` rows."""
        for begin in range(0, len(self.time_us), rows):
            yield self.take(slice(begin, begin + rows))


async def write(connection: Connection, batch: Batch) -> int:
    """Write an ordered batch inside the caller's transaction; return the number of changed rows.

    If the table has no rows of these sensors in this time, the batch is copied directly.
    Otherwise, it goes through a temporary table, from which differing rows are merged.
    """
    if not len(batch.time_us):
        return 0
    first = np.flatnonzero(np.diff(batch.sensor_key, prepend=batch.sensor_key[0] - 1))
    last = np.append(first[1:], len(batch.time_us)) - 1
    keys = batch.sensor_key[first].tolist()
    occupied = await connection.fetchval(
        _OCCUPIED,
        keys,
        [as_time(each) for each in batch.time_us[first].tolist()],
        [as_time(each) for each in batch.time_us[last].tolist()],
    )
    # A worker that writes diagnoses of a machine holds the same lock, so it has either seen these
    # samples or finds them counted as late.
    if occupied or not await _written_straight(connection, batch):
        await connection.execute(_STAGE)
        await _copy(connection, "staged", "pg_temp", batch)
        await connection.execute(_LOCK, keys)
        if late_among(batch.time_us, batch.sensor_key, await diagnosed_until(connection, keys)):
            await note_late(connection, await late_staged(connection))
        status = await connection.execute(_MERGE)
        await connection.execute("DROP TABLE pg_temp.staged")
        changed = int(status.split()[-1])
    else:
        await connection.execute(_LOCK, keys)
        until_us = await diagnosed_until(connection, keys)
        await note_late(connection, late_among(batch.time_us, batch.sensor_key, until_us))
        changed = len(batch.time_us)
    if changed:
        await connection.execute(_REVISE, keys)
    return changed


async def _written_straight(connection: Connection, batch: Batch) -> bool:
    """Copy into the table; return False if another writer has added one of the rows."""
    try:
        async with connection.transaction():
            await _copy(connection, "telemetry", "hydrascope", batch)
    except asyncpg.UniqueViolationError:
        return False
    return True


async def _copy(connection: Connection, table: str, schema: str, batch: Batch) -> None:
    columns = batch._asdict()
    columns["time"] = columns.pop("time_us") - POSTGRES_EPOCH_US

    async def encoded() -> AsyncIterator[bytes]:
        for piece in WRITE_ROWS.encode(columns, _ENCODED_ROWS):
            yield piece

    await connection.copy_to_table(
        table,
        schema_name=schema,
        columns=["time", "sensor_key", "value", "quality"],
        source=encoded(),
        format="binary",
    )
