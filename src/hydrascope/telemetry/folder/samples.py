"""Samples of one sensor as they were recorded: any order, any distance, some of them bad."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GOOD, BAD_QUALITY, OUT_OF_RANGE = 0, 1, 2
"""State of a sample; all but the good ones are missing to whoever reads a signal."""

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
