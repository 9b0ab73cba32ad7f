"""The file of a SQLite database."""

from pathlib import Path

_SQLITE = "sqlite:///"


def is_missing(uri: str) -> bool:
    """Return whether `uri` names a SQLite file that does not exist; to open it would create it."""
    path = uri.removeprefix(_SQLITE).partition("?")[0]
    return uri.startswith(_SQLITE) and not Path(path).is_file()
