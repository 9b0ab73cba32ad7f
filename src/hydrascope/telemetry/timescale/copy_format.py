"""PostgreSQL's binary COPY format ↔ NumPy columns, without a Python object per value.

A row is a 16-bit count of fields, then each field as a 32-bit length and its bytes, all
big-endian. Our queries return fixed-width types and no NULL (a missing value is NaN). All rows thus
have the same size, and a buffer of rows is one array of records. Every count and length is
checked.

Source: PostgreSQL documentation, "COPY", File Formats, Binary Format.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"
POSTGRES_EPOCH_US = 946_684_800_000_000
"""PostgreSQL's epoch, 2000-01-01T00:00Z, in microseconds since 1970."""
_DECODE_BYTES = 2**20
"""The number of bytes decoded at once: enough to be fast, but little memory."""


class RowFormat:
    """The layout of a row of given columns."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        """Define the row by the NumPy type of each column, such as i8, i4, i2 or f8."""
        self.names = tuple(kinds)
        fields = [("count", ">i2")]
        for name, kind in kinds.items():
            fields += [(f"{name} length", ">i4"), (name, f">{kind}")]
        self.dtype = np.dtype(fields)
        self._frame = np.zeros(1, dtype=self.dtype)
        self._frame["count"] = len(kinds)
        for name, kind in kinds.items():
            self._frame[f"{name} length"] = np.dtype(kind).itemsize
        self._kinds = dict(kinds)

    def encode(self, columns: Mapping[str, NDArray[Any]], rows_at_once: int) -> Iterator[bytes]:
        """Yield the input of COPY … FROM STDIN (FORMAT binary)."""
        yield _HEADER
        count = len(columns[self.names[0]])
        for begin in range(0, count, rows_at_once):
            part = slice(begin, min(begin + rows_at_once, count))
            records = np.repeat(self._frame, part.stop - part.start)
            for name in self.names:
                records[name] = columns[name][part]
            yield records.tobytes()
        yield _TRAILER

    def decode(self, content: bytes | memoryview) -> dict[str, NDArray[Any]]:
        """Return the columns of whole rows in native byte order.

        Raises:
            ValueError: A row has a NULL or another type.
        """
        records = np.frombuffer(content, dtype=self.dtype)
        for name in self.dtype.names or ():
            if name not in self._kinds and (records[name] != self._frame[name]).any():
                raise ValueError(f"a row's {name} is not {self._frame[name][0]}")
        return {name: records[name].astype(kind) for name, kind in self._kinds.items()}


class CopyReader(Generic[T]):
    """Decodes the output of COPY … TO STDOUT, in pieces of any size.

    Args:
        rows: Format of the query's columns.
        convert: Converts the columns of some rows to the result that is kept.
    """

    def __init__(self, rows: RowFormat, convert: Callable[[dict[str, NDArray[Any]]], T]) -> None:
        self._rows = rows
        self._convert = convert
        self._pending: list[bytes] = []
        self._bytes = 0
        self._begun = False
        self._parts: list[T] = []

    async def write(self, piece: bytes) -> None:
        """Add a piece; asyncpg requires a coroutine."""
        self._pending.append(piece)
        self._bytes += len(piece)
        if self._bytes >= _DECODE_BYTES:
            self._decode(self._joined())

    def parts(self) -> list[T]:
        """Return the results of all rows in parts, once the COPY has ended.

        Raises:
            ValueError: The output is incomplete.
        """
        content = self._joined()
        if not content.endswith(_TRAILER):
            raise ValueError("COPY ended without its trailer")
        self._decode(content[: -len(_TRAILER)])
        if self._bytes:
            raise ValueError("COPY ended within a row")
        return self._parts

    def _joined(self) -> bytes:
        content = b"".join(self._pending)
        self._pending, self._bytes = [], 0
        if not self._begun:
            if not content.startswith(_HEADER):
                raise ValueError("not the binary COPY format")
            self._begun, content = True, content[len(_HEADER) :]
        return content

    def _decode(self, content: bytes) -> None:
        size = self._rows.dtype.itemsize
        whole = len(content) // size * size
        self._parts.append(self._convert(self._rows.decode(memoryview(content)[:whole])))
        self._pending, self._bytes = [content[whole:]], len(content) - whole


def from_postgres_us(time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Convert PostgreSQL's microseconds to microseconds since 1970, in place."""
    time_us += POSTGRES_EPOCH_US
    return time_us
