"""Which code simulates: what is kept of an older one, compiled or computed, must not be used."""

import hashlib
from pathlib import Path


def code_version(folder: Path) -> int:
    """Return a number of 60 bits that changes with any Python file in a folder and below it.

    Comments count: what is stale costs more than what is made once too often.
    """
    content = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        content.update(f"{file.relative_to(folder)} ".encode() + file.read_bytes())
    return int(content.hexdigest()[:15], 16)
