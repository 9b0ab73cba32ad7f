"""Writer of one machine's store; a crash at any time loses at most one chunk.

Each chunk is written and then recorded in a journal with its checksum. After the last chunk, files
and manifest are synchronised to disk, and the folder gets its final name, which marks it complete.
To resume an unfinished store, its chunks are compared with the journal, and only those that differ
are built.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from numpy.typing import NDArray

from hydrascope.data.store.field import FieldReader, create_field, data_offset, sync, write_rows
from hydrascope.data.store.format import (
    JOURNAL,
    MANIFEST,
    Manifest,
    StoreDamagedError,
    StoreSpec,
    checksum,
    field_file,
    journal_line,
    read_journal,
    read_manifest,
)
from hydrascope.schemas.whole_file import names, write_whole

Checksums = dict[str, str]
"""The checksums of a chunk by field."""


def write_chunk(
    folder: Path, spec: StoreSpec, chunk: int, arrays: Mapping[str, NDArray[Any]]
) -> Checksums:
    """Write the arrays of one chunk to an unfinished store, from any process.

    Two processes may write the same chunk, since they write the same bytes.
    """
    rows = spec.rows(chunk)
    for name, field in spec.fields.items():
        array = arrays[name]
        expected = (len(rows), *field.shape)
        assert (array.shape, array.dtype.str) == (expected, field.dtype), name
        file = field_file(folder, name)
        with names(file):
            write_rows(file, field, spec.windows, rows.start, array)
    return {name: checksum(arrays[name]) for name in spec.fields}


class StoreWriter:
    """An unfinished store, with its lock and its missing chunks.

    Attributes:
        folder: The unfinished store, for `write_chunk`.
        pending: Chunks to write.
    """

    def __init__(self, stores: Path, spec: StoreSpec, lock: FileLock) -> None:
        """Use `claim`, which takes the lock."""
        self.spec, self._lock = spec, lock
        self._final = stores / spec.name
        self.folder = _unfinished(self._final)
        self.folder.mkdir(exist_ok=True)
        self._sums = self._kept()
        self.pending = [chunk for chunk in range(spec.chunks) if chunk not in self._sums]
        lines = [journal_line(chunk, sums) for chunk, sums in self._sums.items()]
        write_whole(self.folder / JOURNAL, "".join(lines))
        self._journal = (self.folder / JOURNAL).open("a", encoding="utf-8")

    @property
    def complete(self) -> bool:
        """Whether all chunks are written."""
        return len(self._sums) == self.spec.chunks

    def record(self, chunk: int, sums: Checksums) -> None:
        """Record that a chunk has been written."""
        self._sums[chunk] = sums
        with names(self.folder / JOURNAL):
            self._journal.write(journal_line(chunk, sums))
            self._journal.flush()

    def finish(self) -> None:
        """Give the complete store its final name and unlock it."""
        assert self.complete
        self._journal.close()
        manifest = Manifest(
            **self.spec.model_dump(),
            checksums={
                name: tuple(self._sums[chunk][name] for chunk in range(self.spec.chunks))
                for name in self.spec.fields
            },
        )
        path = self.folder / MANIFEST
        write_whole(path, manifest.model_dump_json())
        sync([*(field_file(self.folder, name) for name in self.spec.fields), path, self.folder])
        self.folder.rename(self._final)
        sync([self._final.parent])
        (self._final / JOURNAL).unlink()
        self._lock.release()

    def abandon(self) -> None:
        """Unlock the unfinished store; the next process resumes it."""
        self._journal.close()
        self._lock.release()

    def _kept(self) -> dict[int, Checksums]:
        """Prepare the files and return the chunks that match the journal."""
        spec, kept = self.spec, read_journal(self.folder, self.spec)
        for name, field in spec.fields.items():
            path = field_file(self.folder, name)
            try:
                data_offset(path, field, spec.windows)
            except StoreDamagedError:
                with names(path):
                    create_field(path, field, spec.windows)
                kept = {}
            reader = FieldReader(path, field, spec.windows, mapped=False)
            for chunk in list(kept):
                rows = spec.rows(chunk)
                if checksum(reader.read(rows.start, rows.stop)) != kept[chunk][name]:
                    del kept[chunk]
        return kept


def claim(stores: Path, spec: StoreSpec, *, wait: bool) -> StoreWriter | None:
    """Lock a store to build it; return None if it is complete or another process builds it.

    Args:
        stores: The folder of all stores; created if missing.
        spec: The specification of the store.
        wait: Whether to wait for the other process, whose lock ends with it in any case.
    """
    if is_complete(stores, spec):
        return None
    stores.mkdir(parents=True, exist_ok=True)
    lock = _lock(stores, spec)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        return None
    if is_complete(stores, spec):
        lock.release()
        return None
    return StoreWriter(stores, spec, lock)


def is_complete(stores: Path, spec: StoreSpec) -> bool:
    """Return whether the store is complete."""
    return (stores / spec.name).is_dir()


def mark_unfinished(stores: Path, spec: StoreSpec) -> None:
    """Mark a damaged store as unfinished, so that the next `claim` rebuilds damaged chunks."""
    final = stores / spec.name
    with _lock(stores, spec):
        if not final.is_dir():
            return
        try:
            manifest = read_manifest(final)
        except StoreDamagedError:
            lines = []
        else:
            lines = [
                journal_line(
                    chunk, {name: sums[chunk] for name, sums in manifest.checksums.items()}
                )
                for chunk in range(manifest.chunks)
            ]
        (final / JOURNAL).write_text("".join(lines), encoding="utf-8")
        shutil.rmtree(_unfinished(final), ignore_errors=True)
        final.rename(_unfinished(final))


def _unfinished(final: Path) -> Path:
    return final.with_name(f"{final.name}.building")


def _lock(stores: Path, spec: StoreSpec) -> FileLock:
    # Not bound to a thread, since joblib requests chunks from its own threads.
    return FileLock(stores / f"{spec.name}.lock", thread_local=False)
