"""Statistics of one sensor, computed from slices in order of time in bounded memory."""

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hydrascope.schemas.samples import BAD_QUALITY, OUT_OF_RANGE, Ordered, usual_step_us

_GAP = 1.5
"""The number of periods between two samples from which one counts as missing."""
_KEPT = 2**13
"""The most values kept for quantiles, which are exact up to this number of values. Beyond it, they
are taken from evenly spaced values, as there may be thousands of sensors."""


class Extreme(BaseModel):
    """The lowest or highest good value of a sensor."""

    model_config = ConfigDict(frozen=True)

    value: float
    times: int
    """How often it was read."""
    next: float | None
    """The nearest other value, if there is one."""


class SensorStatistics(BaseModel):
    """Statistics of a recorded sensor. Values are in the sensor's unit."""

    model_config = ConfigDict(frozen=True)

    samples: int
    """The number of instants with a value, good or bad."""
    rate_hz: float | None
    """One over the usual interval between samples, good or bad; None with fewer than two."""
    first: str | None
    last: str | None
    """The time of the last good sample; `first` is that of the first."""
    duration_s: float
    gaps: int
    """The number of intervals between good samples longer than 1.5 times the usual interval."""
    longest_gap_s: float
    missing: float
    """The share of absent or bad samples among those expected between first and last, without the
    pauses of the machine."""
    bad_quality: int
    out_of_range: int
    minimum: float | None
    median: float | None
    maximum: float | None
    """The maximum; like minimum and median, of all samples except those of bad quality."""
    lowest: Extreme | None
    highest: Extreme | None
    spread: float | None
    """The interquartile range of the good values."""
    longest_constant_s: float
    """The longest time during which the value did not change."""
    duplicates: int
    unsorted: int


def merged(every: Sequence[SensorStatistics]) -> SensorStatistics | None:
    """Return the statistics of one sensor over several machines; None without any.

    Rate and median are the medians of those of the machines; `missing` is their mean.
    """
    if not every:
        return None

    def known(name: str) -> list[Any]:
        return [value for each in every if (value := getattr(each, name)) is not None]

    sums = ("samples", "gaps", "bad_quality", "out_of_range", "duplicates", "unsorted")
    reductions: dict[str, Callable[[list[Any]], Any]] = {
        **dict.fromkeys((*sums, "duration_s"), sum),
        **dict.fromkeys(("first", "minimum"), min),
        **dict.fromkeys(("last", "maximum", "longest_gap_s", "longest_constant_s"), max),
        **dict.fromkeys(("rate_hz", "median"), median),
        "missing": fmean,
    }
    found: dict[str, Any] = {
        name: reduce(values) if (values := known(name)) else None
        for name, reduce in reductions.items()
    }
    return SensorStatistics(**found, lowest=None, highest=None, spread=None)


class SensorGatherer:
    """Accumulates the `SensorStatistics` of one sensor.

    Args:
        max_gap_s: The longest time without samples within a recording; longer is a pause.
    """

    def __init__(self, max_gap_s: float) -> None:
        self._max_gap_us = round(max_gap_s * 1e6)
        self.paused_us = 0
        """The time in pauses of this sensor, which other sensors need not have."""
        self._counts = dict.fromkeys(
            ("samples", "bad_quality", "out_of_range", "duplicates", "unsorted"), 0
        )
        self._values, self._steps = _EvenlySpaced(), _EvenlySpaced()
        self._good_values = Extremes()
        self._ends: tuple[float, float] | None = None
        self._good = 0
        self._first_us: int | None = None
        self._last_us = self._constant_since_us = 0
        self._last_any_us: int | None = None
        self._last_value = np.float32(0)
        self._period_us: float | None = None
        self._gaps = self._longest_gap_us = self._longest_constant_us = 0

    def add(self, ordered: Ordered) -> None:
        """Add samples that are later than all previous ones."""
        samples = ordered.samples
        self._counts["samples"] += len(samples.value)
        self._counts["bad_quality"] += int((samples.state == BAD_QUALITY).sum())
        self._counts["out_of_range"] += int((samples.state == OUT_OF_RANGE).sum())
        self._counts["duplicates"] += ordered.duplicates
        self._counts["unsorted"] += ordered.unsorted
        if len(samples.time_us):
            before = [] if self._last_any_us is None else [self._last_any_us]
            steps = np.diff(samples.time_us, prepend=np.array(before, dtype=np.int64))
            self._steps.add(steps.astype(np.float64))
            if self._period_us is None and len(steps):
                self._period_us = usual_step_us(steps)
            self._last_any_us = int(samples.time_us[-1])
        recorded = samples.value[samples.state != BAD_QUALITY]
        if len(recorded):
            low, high = self._ends or (np.inf, -np.inf)
            self._ends = min(low, float(recorded.min())), max(high, float(recorded.max()))
            self._values.add(recorded.astype(np.float64))
        good = samples.good()
        if len(good.value):
            self._add_good(good.time_us, good.value)

    def _add_good(self, time_us: NDArray[np.int64], value: NDArray[np.float32]) -> None:
        self._good += len(time_us)
        self._good_values.add(value)
        if self._first_us is None:
            self._first_us = self._constant_since_us = int(time_us[0])
        else:
            time_us = np.append(np.int64(self._last_us), time_us)
            value = np.append(self._last_value, value)
        steps = np.diff(time_us)
        if self._period_us is not None:
            gaps = steps[steps > _GAP * self._period_us]
            self._gaps += len(gaps)
            pauses = gaps[gaps > self._max_gap_us]
            self.paused_us += round(pauses.sum() - len(pauses) * self._period_us)
            self._longest_gap_us = max(self._longest_gap_us, int(gaps.max(initial=0)))
        changes = np.flatnonzero(np.diff(value)) + 1
        since = np.append(self._constant_since_us, time_us[changes])
        until = np.append(time_us[changes - 1], time_us[-1])
        self._longest_constant_us = max(self._longest_constant_us, int((until - since).max()))
        self._constant_since_us = int(since[-1])
        self._last_us, self._last_value = int(time_us[-1]), value[-1]

    def statistics(self, declared_hz: float | None, paused_us: int = 0) -> SensorStatistics:
        """Return the statistics.

        Args:
            declared_hz: The machine file's rate, if it has one.
            paused_us: The time in which no sensor of the machine was recorded.
        """
        step_us = self._steps.usual()
        rate_hz = 1e6 / step_us if step_us else None
        first_us = self._last_us if self._first_us is None else self._first_us
        duration_s = (self._last_us - first_us) / 1e6
        due = (duration_s - paused_us / 1e6) * (declared_hz or rate_hz or 0.0) + 1
        low, high = self._ends or (None, None)
        found: dict[str, Any] = {
            **self._counts,
            "rate_hz": rate_hz,
            "first": _text(first_us) if self._good else None,
            "last": _text(self._last_us) if self._good else None,
            "duration_s": duration_s,
            "gaps": self._gaps,
            "longest_gap_s": self._longest_gap_us / 1e6,
            "missing": min(1.0, max(0.0, 1 - self._good / due)),
            "minimum": low,
            "median": self._values.median(),
            "maximum": high,
            "lowest": self._good_values.lowest,
            "highest": self._good_values.highest,
            "spread": self._good_values.spread,
            "longest_constant_s": self._longest_constant_us / 1e6,
        }
        return SensorStatistics(**found)


class Extremes:
    """Accumulates the extreme values of a sensor, and how far its values usually spread."""

    def __init__(self) -> None:
        self._lowest, self._highest, self._kept = _Lowest(), _Lowest(), _EvenlySpaced()

    def add(self, values: NDArray[np.float32]) -> None:
        """Add finite values [n], at least one."""
        self._lowest.add(values)
        self._highest.add(-values)
        self._kept.add(values.astype(np.float64))

    @property
    def lowest(self) -> Extreme | None:
        """The lowest value; None: no value was added."""
        return self._lowest.extreme(1)

    @property
    def highest(self) -> Extreme | None:
        """The highest value; None: no value was added."""
        return self._highest.extreme(-1)

    @property
    def spread(self) -> float | None:
        """The interquartile range; None: no value was added."""
        return self._kept.spread()


class _EvenlySpaced:
    """Every k-th of the added values; k doubles whenever too many are kept."""

    def __init__(self) -> None:
        self._kept = np.empty(0)
        self._stride = 1
        self._added = 0

    def add(self, values: NDArray[np.float64]) -> None:
        self._kept = np.append(self._kept, values[-self._added % self._stride :: self._stride])
        self._added += len(values)
        while len(self._kept) > _KEPT:
            self._kept = self._kept[::2]
            self._stride *= 2

    def median(self) -> float | None:
        return float(np.median(self._kept)) if len(self._kept) else None

    def usual(self) -> float | None:
        return usual_step_us(self._kept) if len(self._kept) else None

    def spread(self) -> float | None:
        if not len(self._kept):
            return None
        low, high = np.quantile(self._kept, [0.25, 0.75])
        return float(high - low)


class _Lowest:
    """The lowest of the added values, the number of its occurrences, and the next value."""

    def __init__(self) -> None:
        self._value, self._next, self._times = np.inf, np.inf, 0

    def add(self, values: NDArray[np.float32]) -> None:
        lowest = float(values.min())
        others = values[values > lowest]
        following = float(others.min()) if len(others) else np.inf
        times = len(values) - len(others)
        if lowest < self._value:
            self._next = min(self._value, following)
            self._value, self._times = lowest, times
        elif lowest == self._value:
            self._next, self._times = min(self._next, following), self._times + times
        else:
            self._next = min(self._next, lowest)

    def extreme(self, sign: int) -> Extreme | None:
        if not self._times:
            return None
        following = sign * self._next if np.isfinite(self._next) else None
        return Extreme(value=sign * self._value, times=self._times, next=following)


def _text(time_us: int) -> str:
    return f"{np.datetime64(time_us, 'us')}Z"
