"""A field of a store: an array of windows in one file, mapped or held in memory."""

import io
import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.store.format import StoreDamagedError, StoreField, plain_bytes


def create_field(path: Path, field: StoreField, windows: int) -> None:
    """Write the header and set the length; unwritten parts take no space on disk."""
    header = _header(field, windows)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + windows * field.window_bytes)


def data_offset(path: Path, field: StoreField, windows: int) -> int:
    """Return the offset of a field's data in its file.

    Raises:
        StoreDamagedError: The file is missing, or its header or length is wrong.
    """
    header = _header(field, windows)
    size = len(header) + windows * field.window_bytes
    try:
        with path.open("rb") as file:
            sound = file.read(len(header)) == header and os.fstat(file.fileno()).st_size == size
    except OSError as error:
        raise StoreDamagedError(f"{path}: cannot be read ({error.strerror})") from error
    if not sound:
        raise StoreDamagedError(f"{path}: header or length is not that of {windows} windows")
    return len(header)


def _header(field: StoreField, windows: int) -> bytes:
    """Return the NPY 1.0 header of the array."""
    header = io.BytesIO()
    shape = (windows, *field.shape)
    described = {"descr": field.dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def write_rows(path: Path, field: StoreField, windows: int, first: int, rows: NDArray[Any]) -> None:
    """Write consecutive windows from window `first` on.

    Unlike stores to a mapped file, plain writes report a full disk as an error instead of ending
    the process, and other nodes that share the folder see them.
    """
    with path.open("r+b") as file:
        file.seek(data_offset(path, field, windows) + first * field.window_bytes)
        file.write(plain_bytes(rows))


class FieldReader:
    """Reads windows of one field, [W, *shape].

    A mapped file is read fastest. However, every page read counts as this process's memory until
    the map is closed, and Linux may map 2 MB for each byte read. Without a map, system calls read
    the file, which takes a tenth more time and no memory.

    Raises:
        StoreDamagedError: As in `data_offset`.
    """

    def __init__(self, path: Path, field: StoreField, windows: int, *, mapped: bool) -> None:
        self._path, self._dtype, self._shape = path, field.dtype, field.shape
        self._window_bytes = field.window_bytes
        self._offset = data_offset(path, field, windows)
        self._array: NDArray[Any] | None = None
        if mapped:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            count = windows * math.prod(field.shape)
            flat = np.frombuffer(memory, field.dtype, count=count, offset=self._offset)
            self._array = flat.reshape(windows, *field.shape)

    def preload(self, windows: int) -> None:
        """Load all windows into memory."""
        mapped, array = self._array is not None, self.read(0, windows)
        self._array = array.copy() if mapped else array

    def read(self, first: int, stop: int) -> NDArray[Any]:
        """Return windows first … stop - 1; do not write to them."""
        if self._array is not None:
            return self._array[first:stop]
        out = np.empty((stop - first, *self._shape), self._dtype)
        self._read_into(np.arange(first, stop), out)
        return out

    def take(self, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copy ascending windows to contiguous `out` [len(rows), *shape]."""
        first = rows[0]
        if self._array is None:
            self._read_into(rows, out)
        elif rows[-1] - first == len(rows) - 1 and (np.diff(rows) == 1).all():
            out[...] = self._array[first : first + len(rows)]
        else:
            # "clip" skips the check of the rows; "raise" would gather into a second buffer first,
            # so that an error does not leave `out` half written.
            self._array.take(rows, 0, out, "clip")

    def _read_into(self, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Read each run of consecutive windows with one call."""
        size = self._window_bytes
        into = out.reshape(-1).view(np.uint8).data
        ends = [*(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        begin = 0
        with self._path.open("rb", buffering=0) as file:
            for end, first in zip(ends, rows[[0, *ends[:-1]]].tolist(), strict=True):
                file.seek(self._offset + first * size)
                if file.readinto(into[begin * size : end * size]) != (end - begin) * size:
                    raise StoreDamagedError(f"{self._path}: ends before window {first}")
                begin = end


def sync(paths: Sequence[Path]) -> None:
    """Wait until files or folders are written to disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
