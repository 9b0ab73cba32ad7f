"""Columns of times → microseconds since 1970-01-01T00:00Z, the time base of all telemetry.

`TimeWindow` and PostgreSQL resolve microseconds; finer digits are truncated.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hydrascope.schemas.base import COUNTER
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.csv_faults import CellError
from hydrascope.telemetry.times import EARLIEST_US, END_US

Microseconds = NDArray[np.int64]

_MOST_COUNTS = 10**11
"""As seconds, this is the year 5138; later than 9999 cannot be a time."""
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_COUNTS = (("s", 1e11), ("ms", 1e14), ("us", 1e17))
"""Unit and the number from which on it would be a time after the year 5000."""


def to_microseconds(column: Any, name: str, time_zone: str | None) -> Microseconds:
    """Convert times to microseconds [n].

    Args:
        column: Arrow array or chunked array of timestamps or of ISO 8601 text, or of counts.
        name: Name of the column, for messages.
        time_zone: IANA zone of times without a zone; None refuses such times. `COUNTER`: the column
            counts, and one count is read as a second.

    Raises:
        SpecError: A time is missing, malformed, or has no zone and `time_zone` is None. The
            message starts with the column's name.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise SpecError(f"{name}: empty in row {row + 1} of a block; expected a time in every row")
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if time_zone == COUNTER:
        return _whole_numbers(column, name)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _parsed(column, name, time_zone)
    if not pa.types.is_timestamp(column.type):
        raise SpecError(
            f"{name}: of type {column.type}; expected timestamps, or text as in "
            f"2024-05-01T12:00:00Z{_counted(column[0].as_py()) if len(column) else ''}"
        )
    if column.type.tz is None:
        column = _placed(column, name, time_zone)
    per_second = _PER_SECOND[column.type.unit]
    ticks: Microseconds = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    early, late = (limit * per_second // 10**6 for limit in (EARLIEST_US, END_US))
    if len(ticks) and not early <= ticks.min() <= ticks.max() <= late:
        raise SpecError(f"{name}: a time outside the years 1 to 9999; expected one in them")
    if per_second > 10**6:
        return ticks // (per_second // 10**6)
    return ticks * (10**6 // per_second)


def _whole_numbers(column: Any, name: str) -> Microseconds:
    """Read whole numbers, or their text, as seconds."""
    try:
        if pa.types.is_temporal(column.type):
            raise pa.ArrowInvalid(f"it is of type {column.type}")
        counts: Microseconds = pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False)
        if len(counts) and (counts.min() < 0 or counts.max() > _MOST_COUNTS):
            raise pa.ArrowInvalid(f"{counts.min()} to {counts.max()}")
    except pa.ArrowInvalid as error:
        raise SpecError(
            f"{name}: {error}; expected whole numbers from 0 to {_MOST_COUNTS}, because time_zone "
            "is counter"
        ) from None
    return counts * 10**6


def _parsed(column: Any, name: str, time_zone: str | None) -> Any:
    """Parse ISO 8601 text, either all with or all without an offset."""
    zones = ["UTC", None] if time_zone is None else [None, "UTC"]
    parsed, refused = _cast(column, zones)
    if parsed is not None:
        return parsed
    # A value that is no time at all, else the first that is unlike the others.
    alone = (value for value in refused if _cast(pa.array([value]), zones)[0] is None)
    wrong = next(alone, refused[0])
    raise CellError(
        name,
        wrong,
        f"{wrong!r} is not accepted; expected times as in 2024-05-01T12:00:00Z, all with or all "
        f"without an offset{_counted(wrong)}",
    )


def _cast(column: Any, zones: Sequence[str | None]) -> tuple[Any, list[str]]:
    """Return the times, else None and the values at which it failed."""
    refused = []
    for unit in ("ns", "us"):  # nanoseconds end in the year 2262
        for zone in zones:
            try:
                return pc.cast(column, pa.timestamp(unit, zone)), []
            except pa.ArrowInvalid as error:
                refused += re.findall(r"'(.*?)'", str(error))[:1]
    return None, refused


def _counted(value: object) -> str:
    """Say how a number that counts from 1970 becomes a time."""
    try:
        number = float(str(value))
    except ValueError:
        return ""
    unit = next((unit for unit, limit in _COUNTS if number < limit), "ns")
    return (
        f"; if {value} counts {unit} since 1970, write pandas.to_datetime(…, unit={unit!r}, "
        "utc=True); if it counts cycles or the like, set time_zone to counter"
    )


def _placed(column: Any, name: str, time_zone: str | None) -> Any:
    """Assign the zone to times without one."""
    if time_zone is None:
        value = column[0].as_py() if len(column) else ""
        raise SpecError(
            f"{name}: {str(value)!r} has no time zone; give every time an offset, or name "
            "the zone in time_zone, as in UTC or Europe/Berlin"
        )
    try:
        return pc.assume_timezone(column, time_zone)
    except pa.ArrowInvalid as error:
        found = re.search(r": (\S+ \S+?)(\.0+)? (is|does)", str(error))
        raise SpecError(
            f"{name}: {found.group(1) if found else error} occurs twice or never in {time_zone}, "
            "where the clocks change; write the file in UTC"
        ) from None
