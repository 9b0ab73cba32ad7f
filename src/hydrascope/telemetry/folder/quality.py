"""Quality flags: the columns that hold them, and their comparison."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

USUAL = (
    "quality",
    "quality_code",
    "quality_flag",
    "status",
    "status_code",
    "statuscode",
    "flag",
    "flags",
    "qc",
    "validity",
    "valid",
)
"""The usual names of columns of flags in lower case, the most likely first."""

_BEFORE_NAME = "_.: -"
"""The characters that can separate a sensor's id and such a name, as in `p_out_quality`."""


class QualityNames(NamedTuple):
    """Names that determine which columns hold flags."""

    column: str | None
    """The setting; None: any usual name."""
    sensors: frozenset[str]
    """The sensor ids and aliases of all machine files, which are not flags."""


class FlagColumn(NamedTuple):
    """A column of flags."""

    name: str
    sensor: str | None
    """The sensor that the flags apply to; None: the whole row."""


def flag_columns(
    columns: Sequence[str], apart: Collection[str], names: QualityNames
) -> tuple[FlagColumn, ...]:
    """Return the columns of flags: at most one for the row and one for each sensor.

    Args:
        columns: Columns of a file.
        apart: Columns with another meaning.
        names: Names of flags and sensors.
    """
    left = [name for name in columns if name not in apart and name not in names.sensors]
    words = (names.column.lower(),) if names.column is not None else USUAL
    lower = {name.strip().lower(): name for name in reversed(left)}
    of_row = next((FlagColumn(lower[word], None) for word in words if word in lower), None)
    found = [of_row] if of_row else []
    for sensor in columns:
        if sensor in names.sensors:
            own = (f"{sensor}{sign}{word}".lower() for word in words for sign in _BEFORE_NAME)
            found += [FlagColumn(lower[name], sensor) for name in own if name in lower][:1]
    return tuple(found)


def is_usual(name: str) -> bool:
    """Whether a column has a name that flags usually have."""
    return name.strip().lower() in USUAL


def canonical(flag: object) -> str:
    """Normalise a flag: `192`, `192.0` and ` 192` are equal, as are `Good` and `good`."""
    text = str(flag).strip().casefold()
    text = {"true": "1", "false": "0"}.get(text, text)
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else repr(number)
