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
        raise SpecError(f"{path}: {error.strerror}; expected a JSON file") from None
    found = parse_json(content, str(path))
    if not isinstance(found, dict):
        raise SpecError(f"{path}: holds a {type(found).__name__}; expected an object")
    return found


def parse_json(content: bytes, source: str) -> object:
    """Parse a JSON text.

    Raises:
        SpecError: It is not JSON, or not UTF-8; begins with `source` and the line.
    """
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        fault = f"{source}: {not_utf8(content)}"
    except json.JSONDecodeError as error:
        place = f"{source}:{error.lineno}:{error.colno}"
        fault = f"{place}: not JSON ({error.msg}); cut off or edited?"
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        fault = f"{source}: JSON that cannot be read ({error})"
    raise SpecError(fault)
