"""The files of a telemetry folder and the layout of their columns."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.csv_faults import CellError, place_of
from hydrascope.telemetry.folder.quality import FlagColumn, QualityNames, flag_columns, is_usual
from hydrascope.telemetry.folder.text_head import first_line

TIMESTAMP, EQUIPMENT, SENSOR, VALUE = "timestamp", "equipment_id", "sensor_id", "value"
UNIT = "unit"
"""Optional column of a file; other columns may hold flags (`folder.quality`)."""


class Layout(StrEnum):
    """The layout of samples in a table."""

    NARROW = "narrow"
    """One row per sample: timestamp, equipment_id, sensor_id, value[, quality][, unit]."""
    WIDE = "wide"
    """One row per instant: timestamp, equipment_id, and one column per sensor."""


@dataclass(frozen=True)
class Table:
    """Columns and their meaning."""

    name: str
    """The name of the table in messages."""
    columns: tuple[str, ...]
    flags: tuple[FlagColumn, ...]
    """The columns of quality flags; a narrow table has one at most."""
    unlisted: frozenset[str]
    """Columns of a wide table that no machine file lists; they may hold anything."""

    @property
    def layout(self) -> Layout:
        """The layout of the samples."""
        return Layout.NARROW if SENSOR in self.columns else Layout.WIDE

    @property
    def sensors(self) -> tuple[str, ...]:
        """The columns of a wide table that may be sensors."""
        apart = (TIMESTAMP, EQUIPMENT, *(flag.name for flag in self.flags), *self.spare_flags)
        return tuple(name for name in self.columns if name not in apart)

    @property
    def spare_flags(self) -> tuple[str, ...]:
        """Columns under a usual name of flags that judge nothing, as others do."""
        return tuple(name for name in self.columns if name in self.unlisted and is_usual(name))


@dataclass(frozen=True)
class TableFile(Table):
    """A file, its columns and their meaning."""

    path: Path
    size: int
    mtime_ns: int
    partition: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Columns that stand in the names of its folders, as in `equipment_id=press_7`."""

    @property
    def in_file(self) -> tuple[str, ...]:
        """Columns that stand in the file itself."""
        return tuple(name for name in self.columns if name not in self.partition)

    @property
    def is_csv(self) -> bool:
        """Whether the file is CSV, not Parquet."""
        return self.path.suffix.lower() == ".csv"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the file to a `SpecError` raised inside, unless it already names a source."""
    try:
        yield
    except SpecError as error:
        if error.source:
            raise
        place = str(path)
        if isinstance(error, CellError) and path.suffix.lower() == ".csv":
            place = place_of(error, path)
        raise SpecError(*error.faults, source=place) from None


def open_table(path: Path, quality: QualityNames) -> TableFile:
    """Read the head of a telemetry file.

    Args:
        path: The file.
        quality: Names that determine which columns hold flags.

    Raises:
        SpecError: The content does not match the suffix, or the layout is neither narrow nor wide.
    """
    in_file = read_columns(path)
    partition = {name: value for name, value in _partition(path).items() if name not in in_file}
    columns = (*in_file, *partition)
    with naming(path):
        table = table_of(path.name, columns, quality)
    stat = path.stat()
    return TableFile(
        **vars(table), path=path, size=stat.st_size, mtime_ns=stat.st_mtime_ns, partition=partition
    )


def _partition(path: Path) -> dict[str, str]:
    """Return what the names of a file's folders say of all its rows, as Hive writes them."""
    pairs = (part.partition("=") for part in path.parts[:-1])
    return {name: unquote(value) for name, _, value in pairs if name in (EQUIPMENT, SENSOR, UNIT)}


def table_of(name: str, columns: tuple[str, ...], quality: QualityNames) -> Table:
    """Determine the meaning of columns.

    Args:
        name: Name of the table in messages.
        columns: Names of the columns.
        quality: Names that determine which columns hold flags.

    Raises:
        SpecError: The layout is neither narrow nor wide.
    """
    required = [TIMESTAMP, EQUIPMENT]
    narrow = SENSOR in columns or VALUE in columns
    if narrow:
        required += [SENSOR, VALUE]
    flags = flag_columns(columns, (*required, UNIT) if narrow else required, quality)
    if narrow:
        flags = tuple(flag for flag in flags if flag.sensor is None)
    listed = {*required, UNIT, *(flag.name for flag in flags), *quality.sensors}
    table = Table(name, columns, flags, frozenset(columns) - listed)
    if missing := [name for name in required if name not in columns]:
        raise SpecError(
            f"no column {', '.join(missing)}; it has: {', '.join(columns)}; expected "
            f"{TIMESTAMP}, {EQUIPMENT}, {SENSOR}, {VALUE}, or {TIMESTAMP}, {EQUIPMENT} and a "
            f"column for each sensor{_likely(missing, columns)}"
        )
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise SpecError(f"column {repeated[0]!r} occurs twice; expected each name once")
    if not table.sensors:
        raise SpecError(f"no column of a sensor; it has: {', '.join(columns)}")
    return table


def _likely(missing: Sequence[str], columns: Sequence[str]) -> str:
    """Say what may be wrong with names of columns among which some are missing."""
    if len(columns) == 1 and (signs := [sign for sign in ";\t|" if sign in columns[0]]):
        return f"; the values are separated by {signs[0]!r}: write commas, and decimal points"
    if unnamed := [name for name in columns if name.startswith("__index_level_")]:
        return f"; {unnamed[0]} is an index without a name: name it before the file is written"
    near = {name: difflib.get_close_matches(name, columns, n=1, cutoff=0.7) for name in missing}
    return "".join(f"; is {found[0]!r} the {name}?" for name, found in near.items() if found)


def read_columns(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises:
        SpecError: The file cannot be read in the format of its suffix.
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
