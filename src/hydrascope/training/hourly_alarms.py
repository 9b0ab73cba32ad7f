"""Thresholds of normality from a budget of alarms in hours."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.tasks.alarm_budget import Budget, alarm_width, budget_threshold, in_streams


def budget_of(data: HydraulicDataModule, spec: NormalitySpec) -> Budget:
    """Return the budget of a task that has one."""
    assert spec.false_alarms_per_1000_h is not None
    every_h = spec.judged_every_h
    return Budget(
        spec.false_alarms_per_1000_h, data.window.stride_s / 3600.0 if every_h is None else every_h
    )


class HourlyAlarms:
    """Sets the thresholds of one level's scores.

    Args:
        score: Of held-out healthy windows, in order of time, [R].
        key: Index of each score's own threshold, [R]; one number for each sensor of a machine.
        window: Row of each score's window in the window table, [R].
        data: The data module.
        spec: The task's, with a budget.

    Attributes:
        width: The width of the alarm test.
    """

    def __init__(
        self,
        score: NDArray[np.float64],
        key: NDArray[np.int64],
        window: NDArray[np.int64],
        data: HydraulicDataModule,
        spec: NormalitySpec,
    ) -> None:
        self._score, self._key, self._unit = score, key, data.units[window]
        self._machine = pd.factorize(data.table[EQUIPMENT].iloc[window])[0]
        self._budget = budget_of(data, spec)
        self.width = self._usual_width()

    @property
    def hours(self) -> float:
        """The hours of the windows that have a score."""
        return int((~np.isnan(self._score)).sum()) * self._budget.every_h

    def _usual_width(self) -> float:
        """Return the median of the widths of all keys, so that one width suits all of them."""
        score, key = self._score, self._key
        widths = [alarm_width(score[key == each]) for each in np.unique(key)]
        return float(np.median(widths)) if widths else alarm_width(score)

    def threshold(self, chosen: NDArray[np.bool_]) -> float:
        """Return the threshold of the chosen scores; NaN if none is known."""
        chosen = chosen & ~np.isnan(self._score)
        streams, _ = in_streams(self._score[chosen], self._machine[chosen], self._key[chosen])
        units = len(np.unique(self._unit[chosen]))
        allowed = self._budget.allowed(chosen.sum() * self._budget.every_h, units)
        return budget_threshold(streams, self.width, allowed)
