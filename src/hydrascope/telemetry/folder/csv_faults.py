"""Error messages for malformed lines of CSV files."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.text import not_utf8


class CellError(SpecError):
    """A value in a column is wrong.

    Args:
        column: Its name.
        value: As it stands in a text file.
        message: What is wrong with it.
    """

    def __init__(self, column: str, value: str, message: str) -> None:
        super().__init__(message, path=column)
        self.column, self.value = column, value


def place_of(fault: CellError, path: Path) -> str:
    """Return a CSV file and the first line in which the value stands."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file)
        try:
            number = next(rows).index(fault.column)
            lines = (rows.line_num for row in rows if row[number : number + 1] == [fault.value])
            return f"{path}:{next(lines)}"
        except (csv.Error, StopIteration, ValueError):
            return str(path)


def csv_fault(path: Path, columns: Sequence[str], start: int, message: str) -> SpecError:
    """Return an error that names the line and the fault that Arrow found.

    Args:
        path: The file.
        columns: Columns of the file.
        start: Byte of the file at which Arrow began to read.
        message: Arrow's message.
    """
    with path.open("rb") as file:
        before = file.read(start).count(b"\n")
    row = re.search(r"Row #(\d+): ", message)
    line = before + int(row.group(1)) if row else None
    place = f"{path}:{line}" if line else str(path)
    if "invalid UTF8" in message:
        with path.open("rb") as file:
            content = file.readlines()[line - 1] if line else file.read()
        return SpecError(not_utf8(content), source=place)
    if found := re.search(r"In CSV column #(\d+): .*: invalid value '(.*)'", message):
        # Arrow counts the columns of the file, from 0.
        column, value = columns[int(found.group(1))], found.group(2)
        return SpecError(f"{column} is {value!r}; expected a number, or nothing", source=place)
    if found := re.search(r"Expected (\d+) columns, got (\d+)", message):
        fault = f"{found.group(2)} values; expected {found.group(1)}, separated by commas"
        return SpecError(fault, source=place)
    return SpecError(message.splitlines()[0], source=place)
