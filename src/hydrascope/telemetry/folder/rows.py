"""n rows of a block → samples by sensor, with units converted and bad samples marked."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.samples import Samples, SensorKey, judged
from hydrascope.schemas.units import conversion
from hydrascope.telemetry.folder.blocks import Block, read_batches
from hydrascope.telemetry.folder.columns import codes, numbers, numbers_if_any
from hydrascope.telemetry.folder.flags import Flagged, flagged_rows
from hydrascope.telemetry.folder.reading import Reading
from hydrascope.telemetry.folder.table_file import (
    EQUIPMENT,
    SENSOR,
    TIMESTAMP,
    UNIT,
    VALUE,
    Layout,
    Table,
    TableFile,
    naming,
)
from hydrascope.telemetry.folder.timestamps import Microseconds, to_microseconds

Pieces = dict[SensorKey, list[Samples]]
"""The samples of each sensor in the order of the file, in several pieces."""


def read_samples(
    table: TableFile,
    block: Block,
    reading: Reading,
    first_us: int,
    end_us: int | None,
    equipment_id: str | None = None,
) -> Pieces:
    """Return the samples of a block with `first_us <= time < end_us`, in the order of the file.

    Args:
        table: The file that contains the block.
        block: The block.
        reading: How rows become samples.
        first_us: Start of the time range.
        end_us: End of the time range, exclusive; None: no end.
        equipment_id: The machine to read; None: all.

    Raises:
        SpecError: A value or unit in the file is not accepted.
    """
    columns = needed_columns(table, reading, equipment_id)
    pieces: Pieces = {}
    with naming(table.path):
        for batch in read_batches(table, block.part, block.size, columns):
            time_us = to_microseconds(batch.column(TIMESTAMP), TIMESTAMP, reading.time_zone)
            inside = time_us >= first_us
            if end_us is not None:
                inside &= time_us < end_us
            if not inside.all():
                batch, time_us = batch.filter(pa.array(inside)), time_us[inside]
            if not len(time_us):
                continue
            for key, samples in batch_samples(batch, time_us, table, reading, equipment_id):
                pieces.setdefault(key, []).append(samples)
    return pieces


def batch_samples(
    batch: Any,
    time_us: Microseconds,
    table: Table,
    reading: Reading,
    equipment_id: str | None = None,
) -> Iterator[tuple[SensorKey, Samples]]:
    """Yield the samples of each sensor in a batch of rows.

    Args:
        batch: Arrow record batch of n rows.
        time_us: Times of the rows [n].
        table: Meaning of the columns.
        reading: How rows become samples.
        equipment_id: The machine to read; None: all.

    Raises:
        SpecError: A value or unit is not accepted.
    """
    split = _narrow if table.layout is Layout.NARROW else _wide
    bad = flagged_rows(batch, table, reading.quality_accepted)
    yield from split(batch, time_us, bad, reading, equipment_id)


def needed_columns(table: Table, reading: Reading, equipment_id: str | None = None) -> list[str]:
    """Return the columns that are needed; Parquet does not read any others from disk."""
    judges = reading.quality_accepted is not None
    flags = [flag.name for flag in table.flags if judges]
    if table.layout is Layout.NARROW:
        wanted = [TIMESTAMP, EQUIPMENT, SENSOR, VALUE, UNIT]
        return [*(name for name in wanted if name in table.columns), *flags]
    machines = [equipment_id] if equipment_id is not None else list(reading.sensors)
    sensors = [
        name
        for name in table.sensors
        if reading.unlisted or any(reading.wants(reading.key(each, name)) for each in machines)
    ]
    return [TIMESTAMP, EQUIPMENT, *sensors, *flags]


def _narrow(
    batch: Any, time_us: Microseconds, flagged: Flagged, reading: Reading, wanted: str | None
) -> Iterator[tuple[SensorKey, Samples]]:
    machine, machines = codes(batch, EQUIPMENT)
    sensor, sensors = codes(batch, SENSOR)
    value = numbers(batch, VALUE)
    bad = flagged.of_row
    unit, units = codes(batch, UNIT, empty="") if UNIT in batch.schema.names else (None, [])

    code = machine.astype(np.int64) * len(sensors) + sensor
    count = np.bincount(code, minlength=1)
    keys = {
        each: reading.key(machines[each // len(sensors)], sensors[each % len(sensors)])
        for each in np.flatnonzero(count).tolist()
    }
    if len(set(keys.values())) < len(keys):
        code, count = _joined(code, keys)
    # NumPy sorts 16-bit integers by radix sort, in linear time.
    narrow = code.astype(np.uint16) if len(count) <= 2**16 else code
    order = np.argsort(narrow, kind="stable") if (count > 0).sum() > 1 else np.arange(len(code))
    ends = np.cumsum(count)
    for each in np.flatnonzero(count).tolist():
        key = keys[each]
        if (wanted is not None and key[0] != wanted) or not reading.wants(key):
            continue
        rows = order[ends[each] - count[each] : ends[each]]
        row_units = _Units(unit[rows], units) if unit is not None else None
        yield key, _samples(key, time_us[rows], value[rows], bad[rows], row_units, reading)


def _joined(
    code: NDArray[np.int64], keys: Mapping[int, SensorKey]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give all names of a sensor one code, so that its rows stay in order; and count the codes."""
    first: dict[SensorKey, int] = {}
    lookup = np.arange(max(keys) + 1)
    for each, key in keys.items():
        lookup[each] = first.setdefault(key, each)
    code = lookup[code]
    return code, np.bincount(code, minlength=1)


def _wide(
    batch: Any, time_us: Microseconds, flagged: Flagged, reading: Reading, wanted: str | None
) -> Iterator[tuple[SensorKey, Samples]]:
    machine, machines = codes(batch, EQUIPMENT)
    apart = (TIMESTAMP, EQUIPMENT, *flagged.columns)
    sensors = [name for name in batch.schema.names if name not in apart]
    for code, equipment_id in enumerate(machines):
        rows: Any = machine == code
        if (wanted is not None and equipment_id != wanted) or not rows.any():
            continue
        if rows.all():
            rows = slice(None)
        for sensor in sensors:
            key = reading.key(equipment_id, sensor)
            if reading.wants(key):
                read = numbers if reading.knows(key) else numbers_if_any
                value = read(batch, sensor)[rows]
                own = flagged.of_sensor.get(sensor)
                bad = (flagged.of_row if own is None else flagged.of_row | own)[rows]
                yield key, _samples(key, time_us[rows], value, bad, None, reading)


class _Units(NamedTuple):
    """Units from a file's own column."""

    code: NDArray[np.int32]
    """The positions [n] in `names`."""
    names: list[str]
    """The units; an empty text means the machine file's unit."""


def _samples(
    key: SensorKey,
    time_us: Microseconds,
    value: NDArray[np.float64],
    bad: NDArray[np.bool_],
    row_units: _Units | None,
    reading: Reading,
) -> Samples:
    """Convert the samples of one sensor and mark bad ones; an empty value is not a sample."""
    spec = reading.sensors.get(key[0], {}).get(key[1])
    if spec is not None:
        try:
            value = _converted(value, spec.unit, reading.units.get(key[1]), row_units)
        except SpecError as error:
            raise SpecError(f"sensor {key[1]}: {error}") from None
    return judged(time_us, value, spec, bad)


def _converted(
    value: NDArray[np.float64], unit: str, override: str | None, row_units: _Units | None
) -> NDArray[np.float64]:
    """Convert values to `unit`, from `override` or else from the unit of each row."""
    if override is not None:
        scale, offset = conversion(override, unit)
        return value * scale + offset
    if row_units is None:
        return value
    factors = np.array([[1.0, 0.0]] * len(row_units.names))
    for code in np.unique(row_units.code):
        factors[code] = conversion(row_units.names[code] or unit, unit)
    scale_offset = factors[row_units.code]
    converted: NDArray[np.float64] = value * scale_offset[:, 0] + scale_offset[:, 1]
    return converted
