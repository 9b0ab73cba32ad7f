"""Stretches of time."""

from datetime import datetime, timedelta

from pydantic import AwareDatetime, ValidationInfo, field_validator

from hydrascope.schemas.base import Spec


class TimeWindow(Spec):
    """A half-open stretch of time, `[start, end)`, with time zone."""

    start: AwareDatetime
    end: AwareDatetime

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("start")
        if start is not None and end <= start:
            raise ValueError(f"expected a time after start, {start.isoformat()}")
        return end

    @property
    def duration(self) -> timedelta:
        """The time from start to end."""
        return self.end - self.start

    def contains(self, other: "TimeWindow") -> bool:
        """Return whether `other` is within this window."""
        return self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"[{self.start.isoformat()}, {self.end.isoformat()})"
