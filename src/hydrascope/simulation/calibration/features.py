"""Numbers of a window by which recorded and simulated signals are compared.

Signals are first averaged over equal times. Where every cycle takes the same time, the numbers of a
sensor are its means over parts of the cycle. Elsewhere they are means of its sorted values, part by
part, so that it does not matter when a cycle began. Both are followed by the mean speed of change.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.signal import Signal

Values = NDArray[np.float64]

RATE_HZ = 2.0
"""The highest rate of the averages."""
SORTED_PARTS = 6
LONGEST_PART_S, MOST_PARTS = 2.0, 40
"""The lengths and the most of the parts of a cycle."""


class Layout(NamedTuple):
    """Which numbers there are."""

    sensors: tuple[str, ...]
    rates_hz: tuple[float, ...]
    """The rate of each sensor's averages."""
    cycle_s: float | None
    """The time of a cycle, if all take the same; else None."""

    @property
    def parts(self) -> int:
        """The number of parts of a cycle, or of its sorted values."""
        if self.cycle_s is None:
            return SORTED_PARTS
        return max(1, min(MOST_PARTS, round(self.cycle_s / LONGEST_PART_S)))

    @property
    def each(self) -> int:
        """How many numbers a sensor has."""
        return self.parts + 1

    @property
    def size(self) -> int:
        """How many numbers a window has."""
        return self.each * len(self.sensors)

    def levels(self) -> NDArray[np.bool_]:
        """Return which numbers are levels [size], not speeds of change."""
        return np.tile(np.arange(self.each) < self.parts, len(self.sensors))

    def groups(self) -> list[slice]:
        """Return where the levels of each sensor are, and where its speed of change is."""
        every = [self.of(sensor) for sensor in range(len(self.sensors))]
        ends = [(each.start, each.stop - 1, each.stop) for each in every]
        return [
            slice(*pair) for start, speed, stop in ends for pair in ((start, speed), (speed, stop))
        ]

    def of(self, sensor: int) -> slice:
        """Return where the numbers of a sensor are."""
        return slice(sensor * self.each, (sensor + 1) * self.each)


def averaged(signal: Signal, rate_hz: float) -> Signal:
    """Return a signal's averages over equal times; NaN where nothing was recorded."""
    every = max(1, round(signal.rate_hz / rate_hz))
    if every == 1:
        return signal
    whole = signal.values[: len(signal.values) // every * every].reshape(-1, every)
    known = np.isfinite(whole)
    count = known.sum(axis=-1)
    total = np.where(known, whole, 0.0).sum(axis=-1)
    mean = np.divide(total, count, out=np.full(len(whole), np.nan), where=count > 0)
    return Signal(mean.astype(np.float32), signal.rate_hz / every)


def window_features(layout: Layout, signals: Mapping[str, Signal]) -> Values:
    """Return the numbers of a window [size]; NaN where too little was recorded."""
    rows = []
    for sensor, rate_hz in zip(layout.sensors, layout.rates_hz, strict=True):
        signal = signals.get(sensor)
        rows.append(_features(layout, averaged(signal, rate_hz) if signal is not None else None))
    return np.concatenate(rows) if rows else np.zeros(0)


def _features(layout: Layout, signal: Signal | None) -> Values:
    """Return the numbers of a sensor."""
    nothing = np.full(layout.each, np.nan)
    if signal is None:
        return nothing
    values = signal.values.astype(np.float64)
    known = np.isfinite(values)
    if known.sum() < max(layout.parts, 0.5 * len(values)):
        return nothing
    steps = np.diff(values)
    steps = np.abs(steps[np.isfinite(steps)]) * signal.rate_hz
    speed = float(steps.mean()) if len(steps) else np.nan
    if layout.cycle_s is None:
        parts = np.array_split(np.sort(values[known]), layout.parts)
        levels = np.array([part.mean() for part in parts])
    else:
        times_s = (np.arange(len(values)) + 0.5) / signal.rate_hz
        place = np.floor(times_s % layout.cycle_s / layout.cycle_s * layout.parts).astype(int)
        levels = _means(values[known], place[known], layout.parts)
    return np.append(levels, speed)


def _means(values: Values, place: NDArray[np.int64], parts: int) -> Values:
    count = np.bincount(place, minlength=parts)
    total = np.bincount(place, weights=values, minlength=parts)
    mean: Values = np.divide(total, count, out=np.full(parts, np.nan), where=count > 0)
    return mean


def stacked(layout: Layout, windows: Sequence[Mapping[str, Signal]]) -> Values:
    """Return the numbers of windows [windows, size]."""
    return np.array([window_features(layout, each) for each in windows])
