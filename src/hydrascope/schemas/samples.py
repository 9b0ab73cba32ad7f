"""Recorded samples of one sensor: in any order, at any times, some of them bad.

Files, tables in memory, databases and requests to the service all use `judge`, so the same samples
give the same telemetry.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.component import SensorSpec

GOOD, BAD_QUALITY, OUT_OF_RANGE, EMPTY = 0, 1, 2, 3
"""States of samples; in a signal, only good ones are present. The first three are also the flags in
Hydrascope's own table. An empty value (NaN, or beyond float32) is not a sample."""

_REACH = 1.5
"""Steps up to which two samples follow each other, with none missing between them."""

SensorKey = tuple[str, str]
"""Equipment id and sensor id."""


class Samples(NamedTuple):
    """n samples of one sensor."""

    time_us: NDArray[np.int64]
    """The times [n] since 1970-01-01T00:00Z."""
    value: NDArray[np.float32]
    """The finite values [n] in the machine file's unit."""
    state: NDArray[np.uint8]
    """The states [n]: `GOOD`, `BAD_QUALITY` or `OUT_OF_RANGE`."""

    def take(self, index: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Samples":
        """Return the samples at `index`."""
        return Samples(self.time_us[index], self.value[index], self.state[index])

    def good(self) -> "Samples":
        """Return the good samples."""
        keep = self.state == GOOD
        return self if keep.all() else self.take(keep)


def judge(
    value: NDArray[np.float64], sensor: SensorSpec | None, flagged: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Return the states [n] of n values.

    Args:
        value: Values [n] in the machine file's unit; NaN where nothing was recorded.
        sensor: The sensor; None: one in no machine file, without a range.
        flagged: Mask [n] of values with a quality flag that is not accepted; None: no flags.
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
    with np.errstate(over="ignore"):  # values beyond float32 become infinite and thus empty
        return value.astype(np.float32)


def judged(
    time_us: NDArray[np.int64],
    value: NDArray[np.float64],
    sensor: SensorSpec | None,
    flagged: NDArray[np.bool_] | None = None,
) -> Samples:
    """Return the samples at n times without empty ones; other arguments are as in `judge`."""
    state = judge(value, sensor, flagged)
    samples = Samples(time_us, _float32(value), state)
    present = state != EMPTY
    return samples if present.all() else samples.take(present)


def usual_step_us(steps_us: NDArray[np.number[Any]]) -> float:
    """Return the distance at which a sensor is recorded.

    Missing samples make some distances longer; so it is the median of those near the short ones.

    Args:
        steps_us: Distances of the samples, at least one.
    """
    short = np.quantile(steps_us, 0.25)
    return float(np.median(steps_us[steps_us <= _REACH * short]))


class Ordered(NamedTuple):
    """Samples in order of time, each instant once."""

    samples: Samples
    duplicates: int
    """The number of rows replaced by a later row for the same instant."""
    unsorted: int
    """The number of rows after a row of a later time."""


def in_order(pieces: Sequence[Samples]) -> Ordered:
    """Join and sort pieces of one sensor; of several samples for an instant, the last counts."""
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
