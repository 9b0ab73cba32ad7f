"""The files of a telemetry folder: which they are and how their columns are laid out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.quality import FlagColumn, QualityNames, flag_columns
from hydrascope.telemetry.folder.text_head import first_line

TIMESTAMP, EQUIPMENT, SENSOR, VALUE = "timestamp", "equipment_id", "sensor_id", "value"
UNIT = "unit"
"""Columns of a file; the last one may be missing, and others may hold flags (`folder.quality`)."""


class Layout(StrEnum):
    """How samples stand in a table."""

    NARROW = "narrow"
    """A row a sample: timestamp, equipment_id, sensor_id, value[, quality][, unit]."""
    WIDE = "wide"
    """A row an instant: timestamp, equipment_id, and a column a sensor."""


@dataclass(frozen=True)
class Table:
    """Columns and what they mean."""

    name: str
    """What the table is called in messages."""
    columns: tuple[str, ...]
    flags: tuple[FlagColumn, ...]
    """Columns of quality flags; of a narrow table one at most."""

    @property
    def layout(self) -> Layout:
        """How samples stand in it."""
        return Layout.NARROW if SENSOR in self.columns else Layout.WIDE

    @property
    def sensors(self) -> tuple[str, ...]:
        """Columns of a wide table that may be sensors."""
        apart = (TIMESTAMP, EQUIPMENT, *(flag.name for flag in self.flags))
        return tuple(name for name in self.columns if name not in apart)


@dataclass(frozen=True)
class TableFile(Table):
    """A file, its columns and what they mean."""

    path: Path
    size: int
    mtime_ns: int

    @property
    def is_csv(self) -> bool:
        """Whether it is text."""
        return self.path.suffix.lower() == ".csv"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have a `SpecError` from inside name the file, unless it names a source already."""
    try:
        yield
    except SpecError as error:
        if error.source:
            raise
        raise SpecError(*error.faults, source=str(path)) from None


def open_table(path: Path, quality: QualityNames) -> TableFile:
    """Read the head of a telemetry file.

    Args:
        path: The file.
        quality: What decides which of its columns hold flags.

    Raises:
        SpecError: It is not what its name says, or its columns are neither narrow nor wide.
    """
    columns = read_columns(path)
    with naming(path):
        table = table_of(path.name, columns, quality)
    stat = path.stat()
    return TableFile(table.name, columns, table.flags, path, stat.st_size, stat.st_mtime_ns)


def table_of(name: str, columns: tuple[str, ...], quality: QualityNames) -> Table:
    """Tell what columns mean.

    Args:
        name: What the table is called in messages.
        columns: Their names.
        quality: What decides which of them hold flags.

    Raises:
        SpecError: They are neither those of a narrow table nor of a wide one.
    """
    required = [TIMESTAMP, EQUIPMENT]
    narrow = SENSOR in columns or VALUE in columns
    if narrow:
        required += [SENSOR, VALUE]
    flags = flag_columns(columns, (*required, UNIT) if narrow else required, quality)
    if narrow:
        flags = tuple(flag for flag in flags if flag.sensor is None)
    table = Table(name, columns, flags)
    if missing := [name for name in required if name not in columns]:
        raise SpecError(
            f"no column {', '.join(missing)}; it has: {', '.join(columns)}; expected "
            f"{TIMESTAMP}, {EQUIPMENT}, {SENSOR}, {VALUE}, or {TIMESTAMP}, {EQUIPMENT} and a "
            "column for each sensor"
        )
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise SpecError(f"column {repeated[0]!r} occurs twice; expected each name once")
    if not table.sensors:
        raise SpecError(f"no column of a sensor; it has: {', '.join(columns)}")
    return table


def read_columns(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises:
        SpecError: The file cannot be read as what its name says.
    """
    try:
        if path.suffix.lower() == ".csv":
            names = pa.csv.read_csv(BytesIO(first_line(path))).column_names
        else:
            names = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(
            f"{path}: not a readable {path.suffix.lstrip('.')} file ({reason})"
        ) from None
    return tuple(names)
