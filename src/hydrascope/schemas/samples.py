"""Samples of one sensor as they were recorded: any order, any distance, some of them bad.

Files, tables in memory, databases and requests to the service are judged by `judge` alone: the same
samples are the same telemetry wherever they come from.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.machine import SensorSpec

GOOD, BAD_QUALITY, OUT_OF_RANGE, EMPTY = 0, 1, 2, 3
"""State of a sample; all but the good ones are missing to whoever reads a signal. The first three
are the flags of our own table; an empty one (NaN, or beyond float32) is no sample at all."""

SensorKey = tuple[str, str]
"""Equipment id and sensor id."""


class Samples(NamedTuple):
    """n samples of one sensor."""

    time_us: NDArray[np.int64]
    """[n], since 1970-01-01T00:00Z."""
    value: NDArray[np.float32]
    """[n], finite, in the machine file's unit."""
    state: NDArray[np.uint8]
    """[n], `GOOD`, `BAD_QUALITY` or `OUT_OF_RANGE`."""

    def take(self, index: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Samples":
        """Return the samples at `index`."""
        return Samples(self.time_us[index], self.value[index], self.state[index])

    def good(self) -> "Samples":
        """Return the samples that count."""
        keep = self.state == GOOD
        return self if keep.all() else self.take(keep)


def judge(
    value: NDArray[np.float64], sensor: SensorSpec | None, flagged: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Return the state of each of n values, [n].

    Args:
        value: [n], in the machine file's unit; NaN where nothing was recorded.
        sensor: That they are of; None: one that no machine file knows, with any range.
        flagged: [n] whether a quality flag that is not accepted stands beside it; None: none does.
    """
    state = np.full(len(value), GOOD, dtype=np.uint8)
    if sensor is not None and sensor.range is not None:
        low, high = sensor.range
        state[(value < low) | (value > high)] = OUT_OF_RANGE
    if flagged is not None:
        state[flagged] = BAD_QUALITY
    state[~np.isfinite(_float32(value))] = EMPTY
    return state


def _float32(value: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what it cannot hold is infinite, and so no sample
        return value.astype(np.float32)


def judged(
    time_us: NDArray[np.int64],
    value: NDArray[np.float64],
    sensor: SensorSpec | None,
    flagged: NDArray[np.bool_] | None = None,
) -> Samples:
    """Return the samples of n times and values, without the empty ones; arguments as in `judge`."""
    state = judge(value, sensor, flagged)
    samples = Samples(time_us, _float32(value), state)
    there = state != EMPTY
    return samples if there.all() else samples.take(there)


class Ordered(NamedTuple):
    """Samples in order of time, each instant once."""

    samples: Samples
    duplicates: int
    """Rows that a later row of the same instant replaced."""
    unsorted: int
    """Rows that stood after a row of a later time."""


def in_order(pieces: Sequence[Samples]) -> Ordered:
    """Join pieces of one sensor, given in the order of the files; of one instant the last wins."""
    if len(pieces) == 1:
        joined = pieces[0]
    else:
        joined = Samples(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))
    steps = np.diff(joined.time_us)
    if (steps > 0).all():
        return Ordered(joined, duplicates=0, unsorted=0)
    unsorted = int((steps < 0).sum())
    if unsorted:
        joined = joined.take(np.argsort(joined.time_us, kind="stable"))
        steps = np.diff(joined.time_us)
    last = np.append(steps > 0, True)
    return Ordered(joined.take(last), duplicates=int((~last).sum()), unsorted=unsorted)
