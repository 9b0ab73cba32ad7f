"""Reads and checks a copy of the original ZeMA download: one tab-separated line per cycle."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import SpecError
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.zema_recording import (
    ASSETS,
    CYCLE_S,
    LABEL_VALUES,
    SET_CYCLES,
    Recording,
)

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|nan", re.IGNORECASE)


def read_download(folder: Path, rates_hz: Mapping[str, float], verify: bool) -> Recording:
    """Read the cycles from one `<sensor>.txt` per sensor and `profile.txt`.

    Args:
        folder: Contains the whole set, or the same subset of lines in all files.
        rates_hz: Native rate of each sensor, which determines the columns of its file.
        verify: Whether the files of a whole set must be identical to the download.

    Raises:
        SpecError: A file is missing, malformed or not the original.
    """
    columns = {name: round(rate * CYCLE_S) for name, rate in rates_hz.items()}
    columns["profile"] = len(LABEL_VALUES)
    paths = {name: folder / f"{name}.txt" for name in columns}
    if missing := [path.name for path in paths.values() if not path.is_file()]:
        raise SpecError(*((name, "no such file") for name in missing), source=str(folder))

    tables: dict[str, NDArray[np.float32]] = {}
    hashes: dict[str, str] = {}
    faults: list[str] = []
    for name, path in paths.items():
        content = path.read_bytes()
        hashes[name] = _git_blob_sha1(content)
        try:
            tables[name] = _parse(path.name, content, columns[name])
        except SpecError as error:
            faults += map(str, error.faults)
    if not faults:
        faults = _unequal_lengths(tables) or _unknown_labels(tables["profile"])
    if not faults and verify and len(tables["profile"]) == SET_CYCLES:
        faults = _foreign_files(hashes)
    if faults:
        raise SpecError(*faults, source=str(folder))

    signals = {name: Signal(tables[name].reshape(-1), rate) for name, rate in rates_hz.items()}
    listing = "".join(f"{name} {sha1}\n" for name, sha1 in sorted(hashes.items()))
    content_hash = hashlib.sha256(listing.encode()).hexdigest()
    return Recording(signals, tables["profile"].astype(np.int16), content_hash)


def _git_blob_sha1(content: bytes) -> str:
    """Return the hash that `git hash-object` prints for this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _parse(file: str, content: bytes, columns: int) -> NDArray[np.float32]:
    """Parse the values [cycles, columns]."""
    lines = content.splitlines()
    if not lines:
        raise SpecError(f"{file}: empty; expected one line a cycle")
    for number, line in enumerate(lines, start=1):
        if (found := line.count(b"\t") + 1) != columns:
            raise SpecError(
                f"{file}:{number}: {found} values; expected {columns}, separated by tabs"
            )
    text = (line.decode("ascii", errors="replace") for line in lines)
    try:
        values = np.loadtxt(text, delimiter="\t", dtype=np.float32, comments=None, ndmin=2)
    except ValueError as error:
        raise SpecError(_first_non_number(file, lines) or f"{file}: {error}") from None
    if len(infinite := np.argwhere(np.isinf(values))):
        row, column = infinite[0]
        raise SpecError(f"{file}:{row + 1}: value {column + 1} is infinite; expected a number")
    return values


def _first_non_number(file: str, lines: list[bytes]) -> str | None:
    for number, line in enumerate(lines, start=1):
        for column, token in enumerate(line.decode("ascii", errors="replace").split("\t"), start=1):
            if not _NUMBER.fullmatch(token.strip()):
                return f"{file}:{number}: value {column} is {token!r}; expected a number"
    return None


def _unequal_lengths(tables: Mapping[str, NDArray[np.float32]]) -> list[str]:
    cycles = Counter(len(table) for table in tables.values())
    usual = cycles.most_common(1)[0][0]
    return [
        f"{name}.txt: {len(table)} lines; expected {usual} as in most files, one a cycle"
        for name, table in tables.items()
        if len(table) != usual
    ]


def _unknown_labels(profile: NDArray[np.float32]) -> list[str]:
    faults = []
    for column, (label, values) in enumerate(LABEL_VALUES.items()):
        for row in np.flatnonzero(~np.isin(profile[:, column], values))[:1]:
            accepted = ", ".join(map(str, values))
            value = f"{profile[row, column]:g}"
            faults.append(f"profile.txt:{row + 1}: {label} is {value}; expected {accepted}")
    return faults


def _foreign_files(hashes: Mapping[str, str]) -> list[str]:
    original = json.loads((ASSETS / "original_file_git_sha1.json").read_text("utf-8"))
    return [
        f"{name}.txt: not the original file (git hash-object {sha1}; expected {original[name]}); "
        "download it again, or pass verify=False"
        for name, sha1 in hashes.items()
        if sha1 != original[name]
    ]
