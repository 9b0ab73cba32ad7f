"""Microseconds since 1970, as all telemetry counts, ↔ Python's times."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

EARLIEST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LATEST_US = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""Between these a time can be asked for; PostgreSQL's infinities lie outside."""


def as_microseconds(time: datetime) -> int:
    """Return a time with zone in whole microseconds."""
    return (time - _EPOCH) // _MICROSECOND


def as_time(time_us: int) -> datetime:
    """Return microseconds as a time in UTC."""
    return _EPOCH + time_us * _MICROSECOND
