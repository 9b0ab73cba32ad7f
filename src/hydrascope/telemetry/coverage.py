"""The stretches of time that a machine's telemetry covers."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class Coverage:
    """Joins samples into stretches; a gap longer than `max_gap_us` ends a stretch.

    A sample covers one period of its sensor: n samples at 1 Hz cover n seconds.
    """

    def __init__(self, max_gap_us: int) -> None:
        self._max_gap_us = max_gap_us
        self.stretches: list[tuple[int, int]] = []
        """The (start, end) of each stretch in microseconds, in order of time."""

    def add(self, sensors: Iterable[tuple[NDArray[np.int64], int]]) -> None:
        """Add (sorted times, period) of each sensor, none earlier than in previous calls."""
        runs = [self._runs(time_us, time_us + period_us) for time_us, period_us in sensors]
        if not runs:
            return
        start, end = np.concatenate(runs, axis=1)
        order = np.argsort(start, kind="stable")
        start, end = self._runs(start[order], np.maximum.accumulate(end[order]))
        new = list(zip(start.tolist(), end.tolist(), strict=True))
        if self.stretches and new[0][0] - self.stretches[-1][1] <= self._max_gap_us:
            begin, last = self.stretches.pop()
            # A slow sensor's last sample may reach past several short new stretches.
            while new and new[0][0] - last <= self._max_gap_us:
                last = max(last, new.pop(0)[1])
            new.insert(0, (begin, last))
        self.stretches += new

    def _runs(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """Join stretches, ascending in both ends, across short gaps; return them as [2, runs]."""
        cuts = np.flatnonzero(start[1:] - end[:-1] > self._max_gap_us)
        return np.stack([start[np.append(0, cuts + 1)], end[np.append(cuts, -1)]])
