"""The files of a telemetry folder: which they are and how their columns are laid out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from hydrascope.schemas.errors import SpecError

TIMESTAMP, EQUIPMENT, SENSOR, VALUE = "timestamp", "equipment_id", "sensor_id", "value"
QUALITY, UNIT = "quality", "unit"
"""Columns of a file; the last two may be missing."""

MACHINES, LABELS = "machines", "labels"
"""Folders inside the folder that hold no telemetry."""

_SUFFIXES = (".parquet", ".csv")


class Layout(StrEnum):
    """How samples stand in a table."""

    NARROW = "narrow"
    """A row a sample: timestamp, equipment_id, sensor_id, value[, quality][, unit]."""
    WIDE = "wide"
    """A row an instant: timestamp, equipment_id, and a column a sensor."""


@dataclass(frozen=True)
class TableFile:
    """A file, its columns and what they mean."""

    path: Path
    columns: tuple[str, ...]
    size: int
    mtime_ns: int

    @property
    def is_csv(self) -> bool:
        """Whether it is text."""
        return self.path.suffix.lower() == ".csv"

    @property
    def layout(self) -> Layout:
        """How samples stand in it."""
        return Layout.NARROW if SENSOR in self.columns else Layout.WIDE

    @property
    def sensors(self) -> tuple[str, ...]:
        """Columns of a wide file that may be sensors."""
        return tuple(name for name in self.columns if name not in (TIMESTAMP, EQUIPMENT))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Begin the message of a `SpecError` from inside with the file, unless it does already."""
    try:
        yield
    except SpecError as error:
        if str(error).startswith(str(path)):
            raise
        raise SpecError(f"{path}: {error}") from None


def find_tables(folder: Path, apart: Sequence[Path] = ()) -> list[Path]:
    """Return the Parquet and CSV files below `folder`, by name, without those in `apart`.

    Raises:
        SpecError: No such folder, or none of its files is telemetry.
    """
    if not folder.is_dir():
        raise SpecError(f"{folder}: no such folder; expected one of Parquet or CSV files")
    excluded = {path.resolve() for path in apart}
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if inside[0] in (MACHINES, LABELS) or any(part.startswith(".") for part in inside):
            continue
        if path.suffix.lower() in _SUFFIXES and path.resolve() not in excluded and path.is_file():
            found.append(path)
    if not found:
        raise SpecError(f"{folder}: no telemetry; expected files that end in .parquet or .csv")
    return found


def open_table(path: Path) -> TableFile:
    """Read the head of a telemetry file.

    Raises:
        SpecError: It is not what its name says, or its columns are neither narrow nor wide.
    """
    columns = read_columns(path)
    stat = path.stat()
    table = TableFile(path, columns, stat.st_size, stat.st_mtime_ns)
    required = [TIMESTAMP, EQUIPMENT]
    if SENSOR in columns or VALUE in columns:
        required += [SENSOR, VALUE]
    if missing := [name for name in required if name not in columns]:
        raise SpecError(
            f"{path}: no column {', '.join(missing)}; it has: {', '.join(columns)}; expected "
            f"{TIMESTAMP}, {EQUIPMENT}, {SENSOR}, {VALUE}, or {TIMESTAMP}, {EQUIPMENT} and a "
            "column for each sensor"
        )
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise SpecError(f"{path}: column {repeated[0]!r} occurs twice; expected each name once")
    if not table.sensors:
        raise SpecError(f"{path}: no column of a sensor; it has: {', '.join(columns)}")
    return table


def read_columns(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises:
        SpecError: The file cannot be read as what its name says.
    """
    try:
        if path.suffix.lower() == ".csv":
            with path.open("rb") as file:
                head = file.readline()
            if not head.strip():
                raise SpecError(f"{path}: empty; expected a first line that names the columns")
            names = pa.csv.read_csv(BytesIO(head)).column_names
        else:
            names = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(
            f"{path}: not a readable {path.suffix.lstrip('.')} file ({reason})"
        ) from None
    return tuple(names)
