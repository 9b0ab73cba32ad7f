"""Thresholds of normality from a budget of alarms in hours."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.tasks.alarm_budget import Budget, alarm_width, budget_threshold, in_streams

_LEAST = 1e-12
"""The least usual score, of sensors that never differ from what was learned."""


def budget_of(data: HydraulicDataModule, spec: NormalitySpec) -> Budget:
    """Return the budget of a task that has one."""
    assert spec.false_alarms_per_1000_h is not None
    every_h = spec.judged_every_h
    return Budget(
        spec.false_alarms_per_1000_h, data.window.stride_s / 3600.0 if every_h is None else every_h
    )


class HourlyAlarms:
    """Sets the thresholds of one level's scores.

    A threshold is the usual score, the median of its own held-out scores, times a factor that all
    thresholds of the level share. The factor keeps all held-out machines together to the budget.
    Single builds rarely have hours enough to set one of their own: on simulated machines, one odd
    machine then made a build's threshold so high that most of its faults were missed.

    Args:
        score: Of held-out healthy windows, in order of time, [R].
        key: Index of each score's threshold, [R]; a machine has each number once in a window.
        window: Row of each score's window in the window table, [R].
        data: The data module.
        spec: The task's, with a budget.

    Attributes:
        width: The width of the alarm test.
        hours: The hours of the scores.
    """

    def __init__(
        self,
        score: NDArray[np.float64],
        key: NDArray[np.int64],
        window: NDArray[np.int64],
        data: HydraulicDataModule,
        spec: NormalitySpec,
    ) -> None:
        self._score, budget = score, budget_of(data, spec)
        known = ~np.isnan(score)
        table = pd.DataFrame({"key": key[known], "score": score[known]})
        usual = table.groupby("key")["score"].transform("median").to_numpy()
        relative = table["score"].to_numpy() / np.maximum(usual, _LEAST)
        self.width = alarm_width(relative)
        self.hours = len(relative) * budget.every_h
        machine = pd.factorize(data.table[EQUIPMENT].iloc[window[known]])[0]
        streams, _ = in_streams(relative, machine, key[known])
        allowed = budget.allowed(self.hours, len(np.unique(data.units[window[known]])))
        self._factor = budget_threshold(streams, self.width, allowed)

    def threshold(self, chosen: NDArray[np.bool_]) -> float:
        """Return the threshold of scores like the chosen ones, [R]; NaN if none is known."""
        known = self._score[chosen & ~np.isnan(self._score)]
        return float(np.median(known)) * self._factor if len(known) else float("nan")
