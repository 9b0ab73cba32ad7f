"""Quality flags: in which columns of a file they stand, and when two of them are the same."""

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
"""Names that a column of flags usually has, the likelier ones first, in lower case."""

_BEFORE_NAME = "_.: -"
"""What stands between a sensor's id and such a name: `p_out_quality`."""


class QualityNames(NamedTuple):
    """What decides which columns hold flags."""

    column: str | None
    """The setting; None: any usual name."""
    sensors: frozenset[str]
    """Ids of the sensors of all machine files, which are no flags."""


class FlagColumn(NamedTuple):
    """A column of flags."""

    name: str
    sensor: str | None
    """The sensor that it judges; None: the whole row."""


def flag_columns(
    columns: Sequence[str], apart: Collection[str], names: QualityNames
) -> tuple[FlagColumn, ...]:
    """Return the columns of flags: at most one of the row, and one for each sensor.

    Args:
        columns: Of a file.
        apart: Columns that mean something else.
        names: What decides.
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


def canonical(flag: object) -> str:
    """Return a flag as it is compared: `192`, `192.0` and ` 192` are one, so are `Good`, `good`."""
    text = str(flag).strip().casefold()
    text = {"true": "1", "false": "0"}.get(text, text)
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else repr(number)
