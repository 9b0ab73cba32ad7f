"""Times, durations and rates in messages, of telemetry with a clock or with a counter."""

from dataclasses import dataclass
from datetime import datetime

from hydrascope.schemas.base import COUNTER
from hydrascope.telemetry.times import as_microseconds

_HOUR_S = 3600


@dataclass(frozen=True)
class TimeWords:
    """How the time of a source is called."""

    time_zone: str | None = None
    """The setting of the source."""

    @property
    def counts(self) -> bool:
        """Whether times count, such as load cycles."""
        return self.time_zone == COUNTER

    @property
    def second(self) -> str:
        """The unit of what is called `_s` in settings and results."""
        return "counts" if self.counts else "s"

    @property
    def rate(self) -> str:
        """The unit of what is called `_hz`."""
        return "per count" if self.counts else "Hz"

    @property
    def labelled(self) -> str:
        """The unit of the time that labels span."""
        return "counts" if self.counts else "hours"

    def labelled_time(self, hours: float) -> str:
        """Return a number of hours in that unit."""
        return f"{hours * _HOUR_S:,.0f}" if self.counts else f"{hours:.4g}"

    def instant(self, time: datetime) -> str:
        """Return a time to the second, or the count."""
        if self.counts:
            return f"{as_microseconds(time) / 1e6:.12g}"
        return f"{time:%Y-%m-%d %H:%M:%S}"

    def range(self, first: datetime, last: datetime) -> str:
        """Return the first and the last of some times."""
        zone = "" if self.counts else " UTC"
        return f"{self.instant(first)} to {self.instant(last)}{zone}"

    def duration(self, seconds: float) -> str:
        """Return a duration in the largest suitable unit; empty if it is zero."""
        for unit, length in () if self.counts else (("d", 86_400), ("h", 3600), ("min", 60)):
            if seconds >= 2 * length:
                return f"{seconds / length:.1f} {unit}"
        return f"{seconds:g} {self.second}" if seconds else ""


def words_of(source: object) -> TimeWords:
    """Return the words of a source, which has `time_words` if its times may count."""
    words = getattr(source, "time_words", None)
    return words if isinstance(words, TimeWords) else TimeWords()
