"""The version of the code: results of another version, compiled or computed, must not be used."""

import hashlib
from pathlib import Path


def code_version(folder: Path) -> int:
    """Return a number of 60 bits that changes with any Python file in and below a folder.

    Comments count: a stale result costs more than one computed again without need.
    """
    content = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        content.update(f"{file.relative_to(folder)} ".encode() + file.read_bytes())
    return int(content.hexdigest()[:15], 16)
