"""Read a JSON file, or say in which line it is none."""

import json
from pathlib import Path
from typing import Any

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.text import not_utf8


def load_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        SpecError: The file cannot be read, or holds no JSON object; with file and line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}") from None
    try:
        found = json.loads(content.decode())
    except UnicodeDecodeError:
        raise SpecError(f"{path}: {not_utf8(content)}") from None
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{path}:{error.lineno}:{error.colno}: no JSON ({error.msg}); was it cut off or edited?"
        ) from None
    if not isinstance(found, dict):
        raise SpecError(f"{path}: holds a {type(found).__name__}; expected an object")
    return found
