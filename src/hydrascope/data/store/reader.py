"""Reader of the packed store of one machine's windows."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.store.field import FieldReader
from hydrascope.data.store.format import (
    Manifest,
    StoreDamagedError,
    checksum,
    field_file,
    read_manifest,
)


class Verify(StrEnum):
    """When to compare checksums. Lengths and headers of the files are always checked on opening."""

    NEVER = "never"
    READ = "read"
    """Check each chunk when one of its windows is first read. This pass over the data is spread
    over the first epoch; a process that reads few windows checks few chunks."""
    OPEN = "open"
    """Check all chunks on opening. This pass over the data takes as long as reading the disk (from
    the system's cache some 20 GB/s)."""


class GraphStore:
    """The windows of one machine, with one array per field.

    Any number of processes may read at the same time. It pickles as its path, so loader processes
    open the files themselves.

    Args:
        folder: The store's own folder.
        verify: When to compare checksums.
        preload: Hold all arrays in memory.
        mapped: Map the files into memory, which suits small ones; see `FieldReader`.

    Attributes:
        layout: Shape of a window and type, by field.
        window_bytes: Bytes of one window over all fields.
        nbytes: Bytes of all arrays.

    Raises:
        StoreDamagedError: Manifest or files are missing or damaged.
    """

    def __init__(
        self,
        folder: Path,
        verify: Verify = Verify.READ,
        *,
        preload: bool = False,
        mapped: bool = True,
    ) -> None:
        self.folder, self.verify, self.preload, self.mapped = folder, verify, preload, mapped
        self.manifest: Manifest = read_manifest(folder)
        self._unchecked: NDArray[np.bool_] | None = None
        self._open()
        if verify is Verify.OPEN or (preload and verify is Verify.READ):
            if damaged := self.damaged_chunks():
                raise StoreDamagedError(f"{folder}: chunks {damaged} are damaged")
            self._unchecked = None

    def _open(self) -> None:
        manifest = self.manifest
        self.window_bytes = manifest.window_bytes
        self.nbytes = manifest.windows * self.window_bytes
        self.layout = {
            name: (field.shape, np.dtype(field.dtype)) for name, field in manifest.fields.items()
        }
        self._fields = {
            name: FieldReader(
                field_file(self.folder, name), field, manifest.windows, mapped=self.mapped
            )
            for name, field in manifest.fields.items()
        }
        if self.preload:
            for reader in self._fields.values():
                reader.preload(manifest.windows)
        if self.verify is Verify.READ:
            self._unchecked = np.ones(manifest.chunks, dtype=np.bool_)

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name in ("folder", "verify", "preload", "mapped", "manifest")
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state, _unchecked=None)
        self._open()

    def __len__(self) -> int:
        return self.manifest.windows

    def take(self, name: str, rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copy ascending windows `rows` of one field to `out` [len(rows), *shape].

        Raises:
            StoreDamagedError: A window is in a damaged chunk.
        """
        if self._unchecked is not None:
            self._check(np.unique(rows // self.manifest.chunk_windows))
        self._fields[name].take(rows, out)

    def read(self, first: int, stop: int) -> dict[str, NDArray[Any]]:
        """Return windows first … stop - 1 of all fields; do not write to them.

        Raises:
            StoreDamagedError: As in `take`.
        """
        if self._unchecked is not None and stop > first:
            size = self.manifest.chunk_windows
            self._check(np.arange(first // size, (stop - 1) // size + 1))
        return {name: reader.read(first, stop) for name, reader in self._fields.items()}

    def damaged_chunks(self) -> list[int]:
        """Compare all checksums and return the damaged chunks."""
        return [chunk for chunk in range(self.manifest.chunks) if not self._intact(chunk)]

    def _check(self, chunks: NDArray[np.int64]) -> None:
        assert self._unchecked is not None
        for chunk in chunks[self._unchecked[chunks]].tolist():
            if not self._intact(chunk):
                raise StoreDamagedError(
                    f"{self.folder}: chunk {chunk} is damaged; start again with "
                    "data.store.verify=open, which rebuilds it"
                )
            self._unchecked[chunk] = False
        if not self._unchecked.any():
            self._unchecked = None

    def _intact(self, chunk: int) -> bool:
        rows, sums = self.manifest.rows(chunk), self.manifest.checksums
        return all(
            checksum(reader.read(rows.start, rows.stop)) == sums[name][chunk]
            for name, reader in self._fields.items()
        )
