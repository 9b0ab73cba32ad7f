"""Resumable ingestion of telemetry: rows are written once, however often it is started."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import numpy as np

from hydrascope.schemas import TimeWindow
from hydrascope.schemas.samples import Samples, SensorKey, in_order
from hydrascope.telemetry.source import TelemetrySource
from hydrascope.telemetry.times import EARLIEST_US, as_microseconds, as_time
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.telemetry.timescale.loop import start, wait
from hydrascope.telemetry.timescale.origins import (
    Delivery,
    Origin,
    Slice,
    from_source,
    samples_of,
)
from hydrascope.telemetry.timescale.writing import TRANSACTION_ROWS, Batch, write

Progress = Callable[[int], object]
"""Takes the number of rows processed since the last call."""

_UPTO = "SELECT upto_us FROM hydrascope.ingests WHERE origin = $1"
_ADVANCE = """
INSERT INTO hydrascope.ingests (origin, upto_us) VALUES ($1, $2)
ON CONFLICT (origin) DO UPDATE SET upto_us = excluded.upto_us, updated_at = now()
"""

Keys = Mapping[SensorKey, int]


def ingest(connector: TimescaleConnector, delivery: Delivery, progress: Progress) -> int:
    """Write machines, labels and telemetry; return the number of new or changed rows.

    The next slice is read while the previous one is written. The progress is written in the same
    transaction as the rows, so an interrupted ingestion resumes where it stopped.

    Raises:
        SpecError: A file is invalid, or a machine contradicts the stored one.
        DatabaseError: The database does not answer.
    """
    keys = _register(connector, delivery)
    return sum(_ingest_origin(connector, origin, keys, progress) for origin in delivery.origins)


def replay(
    connector: TimescaleConnector,
    source: TelemetrySource,
    *,
    every_s: float,
    for_s: float | None,
    progress: Progress,
) -> int:
    """Write a source's telemetry in real time, as if recorded now; return the number of rows.

    The first extent of each machine starts now and is repeated without end.

    Args:
        connector: Connector of the database.
        source: Source of the telemetry.
        every_s: Time between two writes.
        for_s: Time after which to stop; None: never.
        progress: Receives the number of rows of each write.
    """
    delivery = from_source(source)
    keys = _register(connector, Delivery(delivery.machines, {}, []))
    begun_us, begun, done_us, rows = round(time.time() * 1e6), time.monotonic(), 0, 0
    while for_s is None or done_us < for_s * 1e6:
        time.sleep(every_s)
        upto_us = round((time.monotonic() - begun) * 1e6)
        if for_s is not None:
            upto_us = min(upto_us, round(for_s * 1e6))
        samples: dict[SensorKey, Samples] = {}
        for name in delivery.machines:
            samples |= _replayed(source, name, done_us, upto_us, begun_us)
        batch = _batch(samples, keys)
        wait(connector.write_batch(batch))
        rows += len(batch.time_us)
        progress(len(batch.time_us))
        done_us = upto_us
    return rows


def _replayed(
    source: TelemetrySource, name: str, first_us: int, end_us: int, begun_us: int
) -> dict[SensorKey, Samples]:
    """Return the samples from `first_us` to `end_us` after the start of the replay."""
    extent = source.extents(name)[0]
    extent_us = as_microseconds(extent.start)
    lap_us = as_microseconds(extent.end) - extent_us
    pieces: dict[SensorKey, list[Samples]] = {}
    while first_us < end_us:
        lap, within_us = divmod(first_us, lap_us)
        stop_us = min(end_us, (lap + 1) * lap_us)
        begin_us = extent_us + within_us
        until_us = begin_us + stop_us - first_us
        shift_us = begun_us + lap * lap_us - extent_us
        window = TimeWindow(start=as_time(begin_us), end=as_time(until_us))
        for sensor, signal in source.read(name, window).items():
            samples = samples_of(signal, extent_us, begin_us, until_us)
            shifted = samples._replace(time_us=samples.time_us + shift_us)
            pieces.setdefault((name, sensor), []).append(shifted)
        first_us = stop_us
    return {key: in_order(found).samples for key, found in pieces.items()}


def _register(connector: TimescaleConnector, delivery: Delivery) -> Keys:
    """Save machines and labels; return the key of each sensor."""
    keys: dict[SensorKey, int] = {}
    for name, machine in delivery.machines.items():
        wait(connector.equipment.save(machine))
        keys |= {(name, s): key for s, key in wait(connector.sensor_keys(name)).items()}
    for name, table in delivery.labels.items():
        if len(table):
            wait(connector.labels.save(name, table))
    return keys


def _ingest_origin(
    connector: TimescaleConnector, origin: Origin, keys: Keys, progress: Progress
) -> int:
    upto_us = wait(connector.database.run(lambda c: c.fetchval(_UPTO, origin.name)))
    changed = processed = 0
    writing: Future[int] | None = None
    try:
        for slice_ in origin.slices(EARLIEST_US if upto_us is None else upto_us):
            if writing is not None:
                changed += writing.result()
            batch = _batch(slice_.samples, keys)
            writing = start(_write(connector, origin.name, batch, slice_))
            processed += len(batch.time_us)
            progress(len(batch.time_us))
        if writing is not None:
            changed += writing.result()
    finally:
        if writing is not None:
            writing.cancel()
    progress(max(0, origin.rows - processed))  # rows written earlier, or without a sample
    return changed


async def _write(connector: TimescaleConnector, origin: str, batch: Batch, slice_: Slice) -> int:
    """Write a slice in several transactions; the last one also records the progress."""
    *parts, last = list(batch.split(TRANSACTION_ROWS)) or [batch]
    changed = 0
    for part in parts:
        changed += await connector.write_batch(part)

    async def work(connection: Connection) -> int:
        written = await write(connection, last)
        await connection.execute(_ADVANCE, origin, slice_.end_us)
        return written

    return changed + await connector.database.transaction(work)


def _batch(samples: Mapping[SensorKey, Samples], keys: Keys) -> Batch:
    """Join the samples in the order of the sensor keys, which is that of the table's index."""
    none = Samples(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.uint8))
    by_key = {keys[name]: each for name, each in samples.items() if len(each.time_us)} or {0: none}
    ordered = sorted(by_key)
    pieces = [by_key[key] for key in ordered]
    time_us, value, state = (np.concatenate(each) for each in zip(*pieces, strict=True))
    key = np.repeat(np.array(ordered, dtype=np.int32), [len(each.time_us) for each in pieces])
    return Batch(time_us, key, value.astype(np.float64), state.astype(np.int16))
