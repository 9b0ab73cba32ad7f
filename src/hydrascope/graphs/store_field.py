"""One field of a store: an array of windows in one file, mapped into memory or held in it."""

import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.graphs.store_format import StoreDamagedError, StoreField, plain_bytes

_MAGIC = (1, 0)
"""Version of the NPY format: headers below 64 KiB."""


def create_field(path: Path, field: StoreField, windows: int) -> None:
    """Write the header and reserve the length; what is not written yet takes no space on disk."""
    with path.open("wb") as file:
        header = {
            "descr": field.dtype,
            "fortran_order": False,
            "shape": (windows, *field.shape),
        }
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + windows * field.window_bytes)


def data_offset(path: Path, field: StoreField, windows: int) -> int:
    """Return where the data of a field begin.

    Raises:
        StoreDamagedError: The file is missing, or has not the header and length that it should.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            offset, size = file.tell(), os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:
        raise StoreDamagedError(f"{path}: no array of windows ({error})") from error
    found = (version, shape, fortran, dtype.str, size)
    data = windows * field.window_bytes
    expected = (_MAGIC, (windows, *field.shape), False, field.dtype, offset + data)
    if found != expected:
        raise StoreDamagedError(f"{path}: holds {found}, expected {expected}")
    return offset


def write_rows(path: Path, field: StoreField, windows: int, first: int, rows: NDArray[Any]) -> None:
    """Write consecutive windows from window `first` on.

    Plain writes rather than stores into a map: they report a full disk as an error instead of
    ending the process, and another node that shares the folder sees them.
    """
    with path.open("r+b") as file:
        file.seek(data_offset(path, field, windows) + first * field.window_bytes)
        file.write(plain_bytes(rows))


class FieldReader:
    """Reads windows of one field: [W, *shape], read-only.

    The file is mapped when it is first read, so that a fleet of more machines than a process may
    have maps (65,530 on Linux) can be opened.

    Raises:
        StoreDamagedError: As `data_offset`.
    """

    def __init__(self, path: Path, field: StoreField, windows: int) -> None:
        self._path, self._dtype, self._shape = path, field.dtype, (windows, *field.shape)
        self._offset = data_offset(path, field, windows)
        self._array: NDArray[Any] | None = None
        self._preloaded = False

    @property
    def array(self) -> NDArray[Any]:
        """All windows."""
        if self._array is None:
            with self._path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            flat = np.frombuffer(
                mapped, self._dtype, count=math.prod(self._shape), offset=self._offset
            )
            self._array = flat.reshape(self._shape)
        return self._array

    def preload(self) -> None:
        """Hold all windows in memory from now on."""
        self._array = self.array.copy()
        self._preloaded = True

    def take(self, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copy windows, ascending, into `out` [len(rows), *shape]."""
        array = self._array if self._array is not None else self.array
        first = rows[0]
        if rows[-1] - first == len(rows) - 1 and (np.diff(rows) == 1).all():
            out[...] = array[first : first + len(rows)]
        else:
            # "clip" only says that the rows need no check; "raise" would gather into a second
            # buffer first, lest an error leaves `out` half written.
            array.take(rows, 0, out, "clip")

    def release(self) -> None:
        """Let go of the map. Views of it keep it alive; pages stay in the system's cache."""
        if not self._preloaded:
            self._array = None


def sync(paths: Sequence[Path]) -> None:
    """Wait until files or folders are on the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
