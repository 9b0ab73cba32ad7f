"""Which stretches of time a machine's telemetry covers."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class Coverage:
    """Joins samples into stretches that end where nothing comes for longer than `max_gap_us`.

    A sample stands for one period of its sensor: n samples of 1 Hz last n seconds, and a sensor
    of one sample a minute leaves no gap between two.
    """

    def __init__(self, max_gap_us: int) -> None:
        self._max_gap_us = max_gap_us
        self.stretches: list[tuple[int, int]] = []
        """(start, end) in microseconds, in order of time."""

    def add(self, sensors: Iterable[tuple[NDArray[np.int64], int]]) -> None:
        """Add (sorted times, period) of sensors; no time is earlier than one of an earlier call."""
        runs = [self._runs(time_us, time_us + period_us) for time_us, period_us in sensors]
        if not runs:
            return
        start, end = np.concatenate(runs, axis=1)
        order = np.argsort(start, kind="stable")
        start, end = self._runs(start[order], np.maximum.accumulate(end[order]))
        new = list(zip(start.tolist(), end.tolist(), strict=True))
        if self.stretches and new[0][0] - self.stretches[-1][1] <= self._max_gap_us:
            begin, last = self.stretches.pop()
            # The stretch before may outlast several short new ones: it ends with a slow sample.
            while new and new[0][0] - last <= self._max_gap_us:
                last = max(last, new.pop(0)[1])
            new.insert(0, (begin, last))
        self.stretches += new

    def _runs(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return [2, runs] of stretches ascending in both ends, joined across short gaps."""
        cuts = np.flatnonzero(start[1:] - end[:-1] > self._max_gap_us)
        return np.stack([start[np.append(0, cuts + 1)], end[np.append(cuts, -1)]])
