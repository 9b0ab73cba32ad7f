"""Finds the telemetry files of a folder, and the files passed over with the reasons."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hydrascope.schemas.errors import SpecError

MACHINES, LABELS = "machines", "labels"
"""Subfolders without telemetry."""
SUFFIXES = (".parquet", ".csv")
"""The suffixes of files that are read."""

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".7z", ".tar", ".tgz", ".rar", ".br")
_SHEETS = (".tsv", ".txt", ".dat", ".xlsx", ".xls", ".ods", ".json", ".jsonl", ".sqlite", ".db")
_BINARY = (".feather", ".arrow", ".h5", ".hdf5", ".mat", ".pq", ".parq", ".orc", ".avro", ".tdms")
_TABLES = (*_SHEETS, *_BINARY)
"""The suffixes of files that may be telemetry, but are not read."""


class PassedOver(NamedTuple):
    """A file or folder that is not read."""

    path: Path
    reason: str
    may_be_telemetry: bool


class Discovery(NamedTuple):
    """The files of a folder."""

    tables: list[Path]
    """The tables to read, sorted by name."""
    passed_over: list[PassedOver]


def find_tables(folder: Path, apart: Sequence[Path] = ()) -> Discovery:
    """Find the Parquet and CSV files below `folder`, following links, except those in `apart`.

    `machines`, `labels` and names that begin with a dot are ignored.

    Raises:
        SpecError: There is no such folder, or none of its files is telemetry.
    """
    if not folder.is_dir():
        raise SpecError(f"{folder}: no such folder; expected one of Parquet or CSV files")
    excluded = {path.resolve() for path in apart}
    passed_over: list[PassedOver] = []
    tables = []
    for path in _files(folder, passed_over):
        if path.resolve() in excluded:
            continue
        if reason := why_not_read(path):
            passed_over.append(reason)
        else:
            tables.append(path)
    if not tables:
        reasons = (f"; {each.path.name} is passed over: {each.reason}" for each in passed_over)
        raise SpecError(
            f"{folder}: no telemetry; expected files that end in .parquet or .csv"
            f"{''.join(reasons)[:200]}"
        )
    return Discovery(sorted(tables), sorted(passed_over))


def why_not_read(path: Path) -> PassedOver | None:
    """Return why a file cannot be read as a table, or None if it may be one."""
    suffix = path.suffix.lower()
    if not path.is_file():
        return PassedOver(path, "a link to nothing; mend or delete it", may_be_telemetry=True)
    if suffix in SUFFIXES:
        return None
    if suffix in _COMPRESSED:
        return PassedOver(path, "compressed; unpack it", may_be_telemetry=True)
    reason = (
        f"{f'ends in {suffix}' if suffix else 'has no ending'}; only .parquet and .csv are read"
    )
    return PassedOver(path, reason, may_be_telemetry=suffix in _TABLES)


def _files(folder: Path, passed_over: list[PassedOver]) -> Iterator[Path]:
    """Yield all files; a folder with several links to it is visited once."""
    walked = {folder.resolve()}
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        kept = []
        for name in sorted(folders):
            other = here == folder and name in (MACHINES, LABELS)
            if name.startswith(".") or other:
                continue
            path = here / name
            if path.resolve() in walked:
                reason = f"a link to {path.resolve()}, which is read already"
                passed_over.append(PassedOver(path, reason, may_be_telemetry=False))
                continue
            walked.add(path.resolve())
            kept.append(name)
        folders[:] = kept
        yield from (here / name for name in sorted(files) if not name.startswith("."))
