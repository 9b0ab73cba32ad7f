"""The format of a packed store on disk.

    <folder>/<equipment_id>-<key>/     complete store of one machine
        manifest.json                  content and the checksum of every chunk
        <field>.npy                    [W, *shape] little-endian; W windows of the machine
    <folder>/<equipment_id>-<key>.building/   unfinished store, with a journal of its chunks
    <folder>/<equipment_id>-<key>.lock        held by the process that builds

The key is a hash of everything that determines the content, so a store never changes. A chunk is
`chunk_windows` consecutive windows, the unit of computing, checking and rebuilding.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hydrascope.schemas.errors import SpecError

MANIFEST = "manifest.json"
JOURNAL = "journal.jsonl"
KEY_LENGTH = 20
"""The number of hexadecimal digits: 80 bits, so that contents never share a key."""

Count = Annotated[int, Field(ge=1)]


class StoreDamagedError(SpecError):
    """A store's files do not match its manifest."""


class StoreField(BaseModel):
    """One array: the shape of a window and the type in NumPy's notation (`<f4`, `|b1`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shape: tuple[int, ...]
    dtype: str = Field(pattern=r"^([<][fiu][248]|[|][biu]1)$")

    @property
    def window_bytes(self) -> int:
        """The number of bytes of one window."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class StoreSpec(BaseModel):
    """The specification of one machine's store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    equipment_id: str
    windows: Count
    chunk_windows: Count
    fields: dict[str, StoreField]
    content: dict[str, Any]
    """Everything that determines the content, as plain data."""

    @property
    def key(self) -> str:
        """The hash of content and layout."""
        plain = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()[:KEY_LENGTH]

    @property
    def name(self) -> str:
        """The name of the folder of the complete store."""
        return f"{self.equipment_id}-{self.key}"

    @property
    def chunks(self) -> int:
        """The number of chunks; the last one may be shorter."""
        return -(-self.windows // self.chunk_windows)

    @property
    def window_bytes(self) -> int:
        """The number of bytes of one window over all fields."""
        return sum(field.window_bytes for field in self.fields.values())

    def rows(self, chunk: int) -> range:
        """Return the windows of a chunk."""
        first = chunk * self.chunk_windows
        return range(first, min(first + self.chunk_windows, self.windows))


class Manifest(StoreSpec):
    """The manifest of a complete store: its specification and the checksums by field and chunk."""

    format: Literal[1] = 1
    checksums: dict[str, tuple[str, ...]]


def field_file(folder: Path, name: str) -> Path:
    """Return the file of a field."""
    return folder / f"{name}.npy"


def checksum(array: NDArray[Any]) -> str:
    """Return the hexadecimal 64-bit XXH3 of an array's bytes.

    It detects damage, not forgery; a store is only as trustworthy as its folder. Of the checksums
    measured (`benchmarks store`), only this one is faster than a disk: some 20 GB/s on one core,
    against 2 GB/s for zlib's CRC-32 and 0.4 GB/s for BLAKE2b.
    """
    return xxhash.xxh3_64_hexdigest(plain_bytes(array))


def plain_bytes(array: NDArray[Any]) -> memoryview:
    """Return an array's bytes in row order, copied only if necessary."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a complete store.

    Raises:
        StoreDamagedError: The manifest is unreadable or belongs to another store.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StoreDamagedError(f"{folder}: manifest is damaged ({reason})") from error
    spec = StoreSpec.model_validate(manifest.model_dump(exclude={"format", "checksums"}))
    lengths = {len(sums) for sums in manifest.checksums.values()}
    if folder.name != spec.name or lengths - {spec.chunks}:
        raise StoreDamagedError(f"{folder}: manifest belongs to another store")
    if manifest.checksums.keys() != manifest.fields.keys():
        raise StoreDamagedError(f"{folder}: manifest lacks the checksums of some fields")
    return manifest


def journal_line(chunk: int, checksums: Mapping[str, str]) -> str:
    """Return the journal's line for a finished chunk."""
    return json.dumps({"chunk": chunk, "checksums": dict(checksums)}) + "\n"


def read_journal(folder: Path, spec: StoreSpec) -> dict[int, dict[str, str]]:
    """Return the checksums of each finished chunk; lines torn by a crash are skipped."""
    finished: dict[int, dict[str, str]] = {}
    path = folder / JOURNAL
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        match entry:
            case {"chunk": int(chunk), "checksums": dict(sums)} if (
                0 <= chunk < spec.chunks and sums.keys() == spec.fields.keys()
            ):
                finished[chunk] = sums
    return finished
