"""One field of a store: an array of windows in one file, mapped into memory or held in it."""

import io
import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.graphs.store_format import StoreDamagedError, StoreField, plain_bytes


def create_field(path: Path, field: StoreField, windows: int) -> None:
    """Write the header and reserve the length; what is not written yet takes no space on disk."""
    header = _header(field, windows)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + windows * field.window_bytes)


def data_offset(path: Path, field: StoreField, windows: int) -> int:
    """Return where the data of a field begin.

    Raises:
        StoreDamagedError: The file is missing, or has not the header and length that it should.
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
    """Return what NumPy writes before the data of such an array (NPY 1.0)."""
    header = io.BytesIO()
    shape = (windows, *field.shape)
    described = {"descr": field.dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


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
