"""Conversion between microseconds since 1970, the time base of all telemetry, and `datetime`."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

EARLIEST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The first time that Python has."""
END_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last."""


def as_microseconds(time: datetime) -> int:
    """Convert a time with a zone to whole microseconds."""
    return (time - _EPOCH) // _MICROSECOND


def as_time(time_us: int) -> datetime:
    """Convert microseconds to a time in UTC, at most the last that Python has."""
    return _EPOCH + min(time_us, END_US) * _MICROSECOND
