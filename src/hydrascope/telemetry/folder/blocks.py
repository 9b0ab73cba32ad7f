"""Blocks, the units in which files are read: row groups of Parquet, ranges of lines of CSV.

Each block has its first and last time, so reading an hour opens only the blocks of that hour. The
size of a block bounds the memory for reading.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.csv_faults import csv_fault
from hydrascope.telemetry.folder.table_file import (
    EQUIPMENT,
    SENSOR,
    TIMESTAMP,
    UNIT,
    Layout,
    TableFile,
    naming,
)
from hydrascope.telemetry.folder.timestamps import to_microseconds

CSV_BLOCK_BYTES = 8 * 2**20
LONGEST_ROW_BYTES = 2**20
"""A row with more behind a line break in quotes is none."""
BATCH_ROWS = 2**16
"""The number of rows decoded at once, which bounds the memory beyond the result."""
READ_BUFFER_BYTES = 2**18

_TEXT = pa.dictionary(pa.int32(), pa.string())
"""Ids repeat in every row; a dictionary holds each once."""


class _Known(NamedTuple):
    """Holds what the statistics or the times of a block say of it."""

    rows: int
    first_us: int
    last_us: int
    equipment_id: str | None
    """The machine; None if there are several or it is unknown."""


@dataclass(frozen=True)
class Block:
    """A part of one file."""

    file: int
    """The position in the list of files."""
    part: int
    """The row group (Parquet) or first byte (CSV)."""
    size: int
    """The size in rows (Parquet) or bytes (CSV)."""
    first_us: int
    last_us: int
    """The latest time; `first_us` is the earliest."""
    cells: int
    """The approximate number of samples."""
    equipment_id: str | None = None
    """The machine, if the block is known to contain only one."""

    @property
    def ordinal(self) -> tuple[int, int]:
        """The sort key for the order of rows, in which later rows replace earlier ones."""
        return self.file, self.part


def list_blocks(number: int, table: TableFile, time_zone: str | None) -> Iterator[Block]:
    """Yield the blocks of file `number`.

    The times come from the statistics of a Parquet file. If it has none, its column of times is
    read once.

    Raises:
        SpecError: A time is invalid, or a line of a CSV file is malformed.
    """
    width = max(1, len(table.sensors)) if table.layout is Layout.WIDE else 1
    for part, size in list_parts(table):
        with naming(table.path):
            known = None if table.is_csv else _statistics(table, part, time_zone)
            known = known or _read_times(table, part, size, time_zone)
        if known is not None:
            machine = known.equipment_id or table.partition.get(EQUIPMENT)
            cells = known.rows * width
            yield Block(number, part, size, known.first_us, known.last_us, cells, machine)


def list_parts(table: TableFile) -> Iterator[tuple[int, int]]:
    """Yield `part` and `size` of the blocks of a file, as in `Block`."""
    yield from _csv_parts(table) if table.is_csv else _row_groups(table)


def read_batches(table: TableFile, part: int, size: int, columns: list[str]) -> Iterator[Any]:
    """Yield Arrow record batches of a block: ids as dictionaries, CSV numbers as float64.

    Raises:
        SpecError: A CSV line is malformed, or a file is damaged.
    """
    own = [name for name in columns if name not in table.partition]
    read = _read_lines(table, part, size, own) if table.is_csv else _read_group(table, part, own)
    for batch in read:
        for name in columns:
            if name in table.partition:
                value = pa.array([table.partition[name]])
                code = pa.array(np.zeros(batch.num_rows, dtype=np.int32))
                batch = batch.append_column(name, pa.DictionaryArray.from_arrays(code, value))
        yield batch


def _read_group(table: TableFile, number: int, columns: list[str]) -> Iterator[Any]:
    try:
        yield from _open(table).iter_batches(
            BATCH_ROWS, row_groups=[number], columns=columns, use_threads=False
        )
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(f"damaged ({reason})", source=str(table.path)) from None


# The file stays open, so that its footer is parsed once for all row groups.
@lru_cache(maxsize=8)
def _open(table: TableFile) -> Any:
    # These options make Arrow read page by page instead of a whole row group.
    return pq.ParquetFile(
        table.path,
        read_dictionary=list(_text_columns(table)),
        pre_buffer=False,
        buffer_size=READ_BUFFER_BYTES,
    )


def _text_columns(table: TableFile) -> tuple[str, ...]:
    wanted = (EQUIPMENT, SENSOR, UNIT) if table.layout is Layout.NARROW else (EQUIPMENT,)
    flags = (flag.name for flag in table.flags)
    return (*(name for name in wanted if name in table.in_file), *flags)


def _row_groups(table: TableFile) -> Iterator[tuple[int, int]]:
    metadata = _open(table).metadata
    for number in range(metadata.num_row_groups):
        yield number, metadata.row_group(number).num_rows


def _statistics(table: TableFile, part: int, time_zone: str | None) -> _Known | None:
    file = _open(table)
    group = file.metadata.row_group(part)
    found = {
        chunk.path_in_schema: chunk.statistics
        for chunk in map(group.column, range(group.num_columns))
        if chunk.path_in_schema in (TIMESTAMP, EQUIPMENT)
    }
    times, ids = found.get(TIMESTAMP), found.get(EQUIPMENT)
    kind = file.schema_arrow.field(TIMESTAMP).type
    if not pa.types.is_timestamp(kind) or times is None or not times.has_min_max:
        return None
    if times.null_count:  # the reader will name the row
        return None
    try:
        found_ends = pa.array([times.min, times.max], kind)
    except OverflowError:  # beyond the years of Python; the reader says so
        return None
    ends = to_microseconds(found_ends, TIMESTAMP, time_zone)
    equipment_id = None
    if ids is not None and ids.has_min_max and ids.min == ids.max and not ids.null_count:
        equipment_id = ids.min.decode() if isinstance(ids.min, bytes) else str(ids.min)
    return _Known(group.num_rows, int(ends[0]), int(ends[1]), equipment_id)


def _read_times(table: TableFile, part: int, size: int, time_zone: str | None) -> _Known | None:
    ends: tuple[int, int] | None = None
    rows = 0
    for batch in read_batches(table, part, size, [TIMESTAMP]):
        if batch.num_rows:
            time_us = to_microseconds(batch.column(0), TIMESTAMP, time_zone)
            first, last = int(time_us.min()), int(time_us.max())
            ends = (min(first, ends[0]), max(last, ends[1])) if ends else (first, last)
            rows += batch.num_rows
    return _Known(rows, *ends, None) if ends else None


def _csv_parts(table: TableFile) -> Iterator[tuple[int, int]]:
    """Cut a file behind its head into stretches of whole rows."""
    with table.path.open("rb") as file:
        file.readline()
        start = file.tell()
        while start < table.size:
            file.seek(start)
            quotes = (file.read(CSV_BLOCK_BYTES) + file.readline()).count(b'"')
            end = file.tell()
            # An open quote: the row goes on in the next line.
            while (
                quotes % 2 and file.tell() - end < LONGEST_ROW_BYTES and (line := file.readline())
            ):
                quotes += line.count(b'"')
            end = end if quotes % 2 else file.tell()
            yield start, end - start
            start = end


def _read_lines(table: TableFile, start: int, size: int, columns: list[str]) -> Iterator[Any]:
    with table.path.open("rb") as file:
        file.seek(start)
        content = file.read(size)
    if not content.strip():
        return
    text = dict.fromkeys(_text_columns(table), _TEXT)
    text |= dict.fromkeys((TIMESTAMP, *table.unlisted), pa.string())
    try:
        read = pa.csv.read_csv(
            BytesIO(content),
            read_options=pa.csv.ReadOptions(
                use_threads=False, column_names=table.in_file, block_size=max(len(content), 1)
            ),
            convert_options=pa.csv.ConvertOptions(
                include_columns=columns,
                column_types={name: text.get(name, pa.float64()) for name in columns},
            ),
        )
    except pa.ArrowInvalid as error:
        raise csv_fault(table.path, table.in_file, start, str(error)) from None
    yield from read.to_batches()
