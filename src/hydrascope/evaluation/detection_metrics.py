"""Metrics of alarms by window and by event, without point adjustment, with their intervals.

An event is a run of consecutive unhealthy windows of a machine. It is detected if any of them
raises an alarm. Point adjustment would count all windows of a detected event as detected; here each
window counts as itself (S. Kim et al., "Towards a rigorous evaluation of time-series anomaly
detection", AAAI 2022).

Shapes: R tested windows, E events, B draws.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT, WindowNumbers, microseconds
from hydrascope.evaluation.bootstrap import Array, Bootstrap

SHARES = ("f1", "precision", "recall", "false_alarm_rate", "missed_alarm_rate")
"""The metrics by window that follow from counts."""


class Events(NamedTuple):
    """The events among the tested windows."""

    window: WindowNumbers
    """First window of each event, [E]."""
    delay_s: Array
    """Time from the start of that window to the start of the first with an alarm, [E]; NaN: none
    raised an alarm."""


@dataclass(frozen=True)
class Alarms:
    """The alarms of one detector in the tested windows.

    Attributes:
        windows: Rows of the window table, ascending, [R].
        state: 1 healthy, 0 unhealthy, NaN unknown, [R].
        alarm: Whether a window raises an alarm, [R].
    """

    windows: WindowNumbers
    state: NDArray[np.float32]
    alarm: NDArray[np.bool_]

    @property
    def outcomes(self) -> Array:
        """Detected, missed, false alarm, healthy without alarm: one of them is 1, [R, 4]."""
        unhealthy, healthy = self.state == 0, self.state == 1
        either = (unhealthy & self.alarm, unhealthy & ~self.alarm)
        return np.stack([*either, healthy & self.alarm, healthy & ~self.alarm], 1).astype(float)

    def events(self, data: HydraulicDataModule) -> Events:
        """Return the events; a run ends where the next window is more than a stride later."""
        rows = data.table.iloc[self.windows]
        start_us, machine = microseconds(rows["start"]), rows[EQUIPMENT].to_numpy()
        unhealthy = self.state == 0
        goes_on = np.zeros(len(rows), dtype=bool)
        close = np.diff(start_us) <= round(data.window.stride_s * 1e6)
        goes_on[1:] = unhealthy[:-1] & close & (machine[1:] == machine[:-1])
        first = np.flatnonzero(unhealthy & ~goes_on)
        hits = np.flatnonzero(unhealthy & self.alarm)
        event = np.searchsorted(first, hits, side="right") - 1
        delay_us = np.full(len(first), np.inf)
        np.minimum.at(delay_us, event, (start_us[hits] - start_us[first[event]]).astype(float))
        return Events(self.windows[first], np.where(np.isinf(delay_us), np.nan, delay_us / 1e6))


def shares(sums: Array) -> dict[str, Array]:
    """Return `SHARES` from sums of `Alarms.outcomes`, [B, 4] → [B]; NaN where undefined."""
    hits, missed, false, quiet = sums.T
    unhealthy = np.where(hits + missed > 0, hits + missed, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (
            2 * hits / (unhealthy + hits + false),
            np.where(np.isnan(unhealthy), np.nan, hits / (hits + false)),
            hits / unhealthy,
            false / (false + quiet),
            missed / unhealthy,
        )
    return dict(zip(SHARES, values, strict=True))


def alarm_metrics(alarms: Alarms, data: HydraulicDataModule) -> dict[str, Any]:
    """Return the metrics of alarms; a value is None if there is nothing to compute it from.

    Returns:
        `overall`: `SHARES`, by window. `events`: their number, how many are detected, and the
        median delay of these in seconds.
    """
    events = alarms.events(data)
    found = events.delay_s[~np.isnan(events.delay_s)]
    values = shares(alarms.outcomes.sum(0, keepdims=True))
    return {
        "overall": {name: _known(value[0]) for name, value in values.items()},
        "events": {
            "count": len(events.window),
            "detected": len(found),
            "median_delay_s": float(np.median(found)) if len(found) else None,
        },
    }


def alarm_intervals(
    alarms: Alarms, data: HydraulicDataModule, bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return the intervals of `alarm_metrics`; an event belongs to the unit of its first window.

    Returns:
        `overall`: as there. `events`: of the share detected (`detected`) and of the median delay.
    """
    drawn = bootstrap.of_sums(alarms.outcomes, alarms.windows, shares)
    events = alarms.events(data)
    detected = ~np.isnan(events.delay_s)
    late, place = events.delay_s[detected], events.window[detected]
    return {
        "overall": {name: bootstrap.interval(values) for name, values in drawn.items()},
        "events": {
            "detected": bootstrap.share_interval(detected, np.ones(len(detected)), events.window),
            "median_delay_s": bootstrap.interval(
                bootstrap.of_rows(place, partial(weighted_median, late))
            )
            if len(late)
            else None,
        },
    }


def weighted_median(values: Array, weights: Array) -> Array:
    """Return the median of values [E] under each weighting [B, E], [B]; NaN without weight."""
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weights[:, order], axis=1)
    half = mass[:, -1:] / 2
    lower, upper = (mass >= half).argmax(1), (mass > half).argmax(1)
    median: Array = (values[order][lower] + values[order][upper]) / 2
    return np.where(half[:, 0] > 0, median, np.nan)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
