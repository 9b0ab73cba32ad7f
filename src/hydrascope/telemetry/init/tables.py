"""Tables of a folder in any usual form, brought into the form that sources read.

A canonical frame has the columns `timestamp` (UTC), `equipment_id` and one for each sensor, or
`sensor_id` and `value`; and the columns of labels and of quality flags.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hydrascope.schemas.base import COUNTER
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.table_file import EQUIPMENT, SENSOR, TIMESTAMP, VALUE
from hydrascope.telemetry.folder.text_head import first_line
from hydrascope.telemetry.folder.timestamps import to_microseconds
from hydrascope.telemetry.init.headers import (
    Columns,
    columns_of,
    date_and_clock,
    identifier,
    is_counter,
    of_folder,
)
from hydrascope.telemetry.init.number_text import decimal_of, numbers
from hydrascope.telemetry.init.time_text import read_times

LABEL = "label:"
"""The prefix of columns of labels in a canonical frame."""
FLAG = "flag:"
"""The prefix of columns of quality flags in a canonical frame."""
QUALITY = "quality"
"""What a column of flags is called there, behind the sensor's id if it is of one sensor."""
_CHUNK_ROWS, _HEAD_ROWS = 200_000, 1000
RELATIVE_START = pd.Timestamp("2000-01-01", tz="UTC")
"""The start of recordings whose times are only relative."""
_EPOCHS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))
"""The least number that counts as a time since 1970, for each unit."""
_STEPS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class RawTable:
    """A file, its columns and how it is written."""

    path: Path
    headers: tuple[str, ...]
    columns: Columns
    separator: str
    decimal: str
    partition: Mapping[str, str]
    """Columns that stand in the names of its folders, as in `equipment_id=press_7`."""
    day_first: bool = False
    """Whether dates such as 02/01/2026 have their day first."""

    @property
    def as_read(self) -> bool:
        """Whether sources read the file as it is, apart from its times."""
        columns = self.columns
        names = (columns.time, columns.machine) == (TIMESTAMP, EQUIPMENT)
        narrow = (columns.sensor, columns.value) in ((None, None), (SENSOR, VALUE))
        return names and narrow and (self.separator, self.decimal) == (",", ".")

    @property
    def counts(self) -> bool:
        """Whether its times count, such as load cycles."""
        return self.columns.time is not None and is_counter(self.columns.time)

    def chunks(self, only: str | None = None) -> Iterator[pd.DataFrame]:
        """Yield the rows as they are, some at a time, with the columns of the partition.

        Args:
            only: A column of the file to read alone; None: all.

        Raises:
            SpecError: The file cannot be read.
        """
        wanted = None if only is None else [only]
        try:
            if self.path.suffix.lower() == ".csv":
                named = (self.columns.machine, self.columns.sensor)
                options: Any = {
                    "sep": self.separator,
                    "decimal": self.decimal,
                    "dtype": {name: "str" for name in named if name},  # 007 is not 7
                    "usecols": wanted,
                }
                for rows in pd.read_csv(self.path, chunksize=_CHUNK_ROWS, **options):
                    yield rows.assign(**self.partition)
            else:
                for batch in pq.ParquetFile(self.path).iter_batches(_CHUNK_ROWS, columns=wanted):
                    yield batch.to_pandas().assign(**self.partition)
        except (OSError, ValueError) as error:
            raise SpecError(f"{self.path}: {str(error).splitlines()[0]}") from None


def open_raw(path: Path, folder: Path) -> RawTable:
    """Read the head of a file in `folder`.

    Raises:
        SpecError: The file is empty or not text.
    """
    separator, decimal = ",", "."
    if path.suffix.lower() == ".csv":
        line = first_line(path).decode("utf-8-sig").strip()
        separator = max(",;\t|", key=line.count)
        headers = next(csv.reader([line], delimiter=separator))
        with path.open(encoding="utf-8", errors="replace") as file:
            rows = list(csv.reader(islice(file, 1, _HEAD_ROWS), delimiter=separator))
        _refuse_unclear(path, headers, rows[0] if rows else [])
        decimal = decimal_of(cell for row in rows for cell in row)
    else:
        headers = list(pq.read_schema(path).names)
    pairs = (part.partition("=") for part in path.relative_to(folder).parts[:-1])
    partition = {
        name: unquote(value)
        for name, sign, value in pairs
        if sign and of_folder(name) and name not in headers
    }
    columns = (*headers, *partition)
    return RawTable(path, columns, columns_of(columns), separator, decimal, partition)


def _refuse_unclear(path: Path, headers: Sequence[str], values: Sequence[str]) -> None:
    """Refuse a CSV file whose columns cannot be told apart."""
    if headers and headers[0].startswith("#"):
        raise SpecError(f"{path}: the first line is a comment; expected the names of the columns")
    twice = [name for name, times in Counter(headers).items() if times > 1]
    if twice:
        raise SpecError(f"{path}: several columns are called {twice[0]!r}; expected a name each")
    if (apart := date_and_clock(dict(zip(headers, values, strict=False)))) is not None:
        raise SpecError(
            f"{path}: date and time of day are two columns, {apart[0]!r} and {apart[1]!r}; "
            "expected one, such as timestamp with 2026-01-31 12:00:00"
        )


def canonical(
    table: RawTable,
    rows: pd.DataFrame,
    first_row: int,
    machine: str,
    sensors: Mapping[str, str],
    time_zone: str,
) -> pd.DataFrame:
    """Return rows in the canonical form.

    Args:
        table: The file.
        rows: Some of its rows.
        first_row: Number of the first of them, for files without times.
        machine: The machine, if no column names it.
        sensors: Ids by header.
        time_zone: Zone of times without one, or `COUNTER`.

    Raises:
        SpecError: The times cannot be read.
    """
    columns = table.columns
    found: dict[str, Any] = {TIMESTAMP: _times(table, rows, first_row, time_zone)}
    names = rows[columns.machine] if columns.machine else pd.Series(machine, index=rows.index)
    ids = {each: identifier(str(each)) for each in names.unique()}
    found[EQUIPMENT] = names.map(ids)
    if columns.sensor:
        found[SENSOR] = rows[columns.sensor].astype(str).map(sensors)
        found[VALUE] = numbers(rows[columns.value], table.decimal).values
    for header in columns.sensors:
        if header in sensors:
            found[sensors[header]] = numbers(rows[header], table.decimal).values
        elif not pd.api.types.is_numeric_dtype(rows[header]):
            found[label_name(header)] = rows[header]  # perhaps a label
    for header in columns.labels:
        found[label_name(header)] = rows[header]
    if columns.flag:
        found[f"{FLAG}{QUALITY}"] = rows[columns.flag].astype("string")
    for header, sensor in columns.flags_of:
        if sensor in sensors:
            found[f"{FLAG}{sensors[sensor]}_{QUALITY}"] = rows[header].astype("string")
    return pd.DataFrame(found)


def label_name(header: str) -> str:
    """Return the name of a column of labels in a canonical frame."""
    return f"{LABEL}{identifier(header).lower()}"


def counts(times: pd.Series) -> pd.Series:
    """Return times that were read from a counter as whole numbers again."""
    return (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)


def relative(table: RawTable, rows: pd.DataFrame) -> bool:
    """Return whether a file has no times, or only times since its own start."""
    if table.columns.time is None:
        return True
    column = rows[table.columns.time]
    return pd.api.types.is_numeric_dtype(column) and bool(column.abs().max() < _EPOCHS[-1][0])


def rows_as_read(table: RawTable, rows: pd.DataFrame, time_zone: str) -> bool:
    """Return whether sources read the times and machines' ids of rows as they are."""
    time, machine = table.columns.time, table.columns.machine
    if time is None or machine is None:
        return False
    try:
        to_microseconds(pa.Array.from_pandas(rows[time]), TIMESTAMP, time_zone)
    except SpecError:
        return False
    return all(identifier(str(each)) == str(each) for each in rows[machine].unique())


def _times(table: RawTable, rows: pd.DataFrame, first_row: int, time_zone: str) -> Any:
    name = table.columns.time
    if time_zone == COUNTER:
        counted = np.arange(len(rows)) + first_row if name is None else rows[name]
        try:
            time_us = to_microseconds(pa.array(counted), name or TIMESTAMP, time_zone)
        except SpecError as error:
            raise SpecError(f"{table.path}: {error}") from None
        return pd.DatetimeIndex(time_us.view("datetime64[us]"), tz="UTC")
    if name is None:
        return RELATIVE_START + pd.to_timedelta(np.arange(len(rows)) + first_row, unit="s")
    column = rows[name]
    if pd.api.types.is_numeric_dtype(column):
        largest = column.abs().max()
        for least, unit in _EPOCHS:
            if largest >= least:
                return pd.to_datetime(column, unit=unit, utc=True)  # type: ignore[call-overload]
        unit = name.lower().rstrip("]) ").replace("_", " ").replace("[", " ").split(" ")[-1]
        seconds = column.astype(float) * _STEPS.get(unit, 1.0)
        return RELATIVE_START + pd.to_timedelta((seconds * 1e6).round().astype("int64"), unit="us")
    try:
        return read_times(column, name, time_zone, table.day_first)
    except SpecError as error:
        raise SpecError(f"{table.path}: {error}") from None
