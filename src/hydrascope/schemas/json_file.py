"""Reading of JSON files, with the line in error messages."""

import json
from pathlib import Path
from typing import Any

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.text import not_utf8


def load_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        SpecError: The file cannot be read, or does not contain a JSON object.
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
            f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg}); cut off or edited?"
        ) from None
    if not isinstance(found, dict):
        raise SpecError(f"{path}: holds a {type(found).__name__}; expected an object")
    return found
