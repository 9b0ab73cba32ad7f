"""Where the windows of a machine lie in time, whatever batches its telemetry is read in.

All times are whole microseconds since 1970. A stretch is telemetry without a gap; its windows start
a stride apart from its first sample on. What is found depends on the telemetry alone: a stretch's
start counts once nothing earlier can come, and a window once nothing of it can.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import SensorSpec
from hydrascope.schemas.samples import Samples
from hydrascope.telemetry.coverage import Coverage
from hydrascope.telemetry.resampling import instants

_US = 1_000_000


class Grid(NamedTuple):
    """How windows are laid."""

    window_us: int
    stride_us: int
    max_gap_us: int
    """A longer time without any good sample ends a stretch."""
    aligned: bool
    """Whether a stretch's first windows are looked at, to find the start of the load cycle."""

    @property
    def looked_at_us(self) -> int:
        """What must be known of a stretch to find the start of the load cycle in it."""
        return max(2 * self.stride_us + self.window_us, 2 * self.window_us)


class Place(NamedTuple):
    """Where a machine's next window lies."""

    upto_us: int
    """Its start, if the stretch goes on."""
    covered_us: int
    """The end of the window before it; in a new stretch its start."""
    begun: bool
    """Whether it is settled where the windows of this stretch start."""


class Laid(NamedTuple):
    """The windows that are due."""

    starts_us: list[int]
    place: Place
    """Behind these windows."""
    unsettled: tuple[int, int] | None
    """The next stretch, where it is not settled yet where its windows start."""
    waits: bool
    """Whether a window or a stretch is there and not due yet."""


def stretches(
    grid: Grid, place: Place, sensors: Sequence[SensorSpec], samples: Mapping[str, Samples]
) -> list[tuple[int, int]]:
    """Return the (start, end) of the stretch at `place` and of those after it.

    Args:
        grid: How windows are laid.
        place: Where the next window lies.
        sensors: Those of the machine.
        samples: Good samples, in order of time, from at most a period before `place` on.
    """
    coverage = Coverage(grid.max_gap_us)
    coverage.stretches.append((min(place.upto_us, place.covered_us), place.covered_us))
    runs = []
    for sensor in sensors:
        if sensor.id in samples and len(samples[sensor.id].time_us):
            period_us = round(_US / sensor.rate_hz)
            time_us = samples[sensor.id].time_us
            first = int(np.searchsorted(time_us, place.covered_us - period_us, side="right"))
            if first < len(time_us):
                runs.append((time_us[first:], period_us))
    coverage.add(runs)
    return coverage.stretches


def lay(
    grid: Grid,
    place: Place,
    found: Sequence[tuple[int, int]],
    horizon_us: int,
    complete: Callable[[int], bool],
    most: int,
) -> Laid:
    """Return the next windows that are due.

    Args:
        grid: How windows are laid.
        place: Where the next one lies.
        found: The stretches, of which the first holds `place`.
        horizon_us: Nothing earlier comes any more.
        complete: Whether all samples of the window that starts there are known.
        most: The most windows to return.
    """
    starts: list[int] = []
    for number, (begin, end) in enumerate(found):
        if number:
            if begin > horizon_us:
                return Laid(starts, place, None, waits=True)
            place = Place(begin, begin, begun=False)
        if place.upto_us + grid.window_us > end:
            continue
        if not place.begun:
            if grid.aligned:
                return Laid(starts, place, (place.upto_us, end), waits=False)
            place = place._replace(begun=True)
        while place.upto_us + grid.window_us <= end:
            start_us, end_us = place.upto_us, place.upto_us + grid.window_us
            if len(starts) == most:
                return Laid(starts, place, None, waits=False)
            if end_us > horizon_us and not complete(start_us):
                return Laid(starts, place, None, waits=True)
            starts.append(start_us)
            place = Place(start_us + grid.stride_us, end_us, begun=True)
    return Laid(starts, place, None, waits=False)


def can_settle(grid: Grid, stretch: tuple[int, int], horizon_us: int) -> bool:
    """Return whether enough of a new stretch is known, or it has ended."""
    begin, end = stretch
    return min(begin + grid.looked_at_us, end + grid.max_gap_us + 1) <= horizon_us


def has_all(
    sensors: Sequence[SensorSpec], samples: Mapping[str, Samples], window_us: int, first_us: int
) -> bool:
    """Return whether each sensor has as many good samples in a window as its rate says.

    Then no later sample can change the window, unless a sensor is faster than its rate.
    """
    end_us = first_us + window_us
    for sensor in sensors:
        at_us = instants(first_us, first_us, end_us, sensor.rate_hz)
        if sensor.id not in samples or sensor.rate_hz * window_us < _US:
            return False
        time_us = samples[sensor.id].time_us
        first, end = np.searchsorted(time_us, [first_us, end_us])
        if end - first < len(at_us) or time_us[end - 1] < at_us[-1]:
            return False
    return True


def in_us(seconds: float) -> int:
    """Return seconds as whole microseconds, at least one."""
    return max(1, math.floor(seconds * _US + 0.5))
