"""The growth of faults over a machine's life, and the ground truth at any hour."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from hydrascope.simulation.faults import ACTIVE, Fault

Hours = NDArray[np.float64]

LIFE_CAP_H = 1_000.0
"""The longest remaining life that a label gives; further ahead nothing shows yet."""
_STEP_LEVEL = 0.4
_EXPONENT = 3.0
_ON_SHARE = 0.6


class Course(StrEnum):
    """The course of a fault's growth."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    STEP = "step"
    INTERMITTENT = "intermittent"


@dataclass(frozen=True)
class FaultCourse:
    """One fault of one component, from onset to failure, after which it is repaired."""

    fault: Fault
    component: str
    course: Course
    onset_h: float
    growth_h: float
    """The time from onset to failure."""
    phase_h: float = 0.0
    """The phase of an intermittent fault, whose period is `PERIOD_H`."""

    PERIOD_H = 7.0

    def growth(self, hours: Hours) -> Hours:
        """Return the growth, present or not: 0 to 1, and 0 before onset and after repair."""
        share = self._share(hours)
        grown = np.clip(share, 0.0, 1.0)
        if self.course is Course.EXPONENTIAL:
            grown = np.expm1(_EXPONENT * grown) / math.expm1(_EXPONENT)
        elif self.course is Course.STEP:
            grown = _STEP_LEVEL + (1.0 - _STEP_LEVEL) * grown
        return np.where((share >= 0.0) & (share < 1.0), grown, 0.0)

    def present(self, hours: Hours) -> NDArray[np.bool_]:
        """Return whether the fault is present: an intermittent one comes and goes."""
        hours = np.asarray(hours)
        if self.course is not Course.INTERMITTENT:
            return np.full(hours.shape, True)
        return (hours + self.phase_h) % self.PERIOD_H < _ON_SHARE * self.PERIOD_H

    def severity(self, hours: Hours) -> Hours:
        """Return the severity at operating hours."""
        return self.growth(hours) * self.present(hours)

    def rate_per_h(self, hours: Hours) -> Hours:
        """Return the growth per hour; that of the envelope, if intermittent."""
        share = self._share(hours)
        slope = np.ones_like(share)
        if self.course is Course.EXPONENTIAL:
            slope = _EXPONENT * np.exp(_EXPONENT * np.clip(share, 0, 1)) / math.expm1(_EXPONENT)
        elif self.course is Course.STEP:
            slope *= 1.0 - _STEP_LEVEL
        return np.where((share >= 0.0) & (share < 1.0), slope / self.growth_h, 0.0)

    def remaining_h(self, hours: Hours) -> Hours:
        """Return the hours to failure; infinite after repair, and before onset, as yet unknown."""
        hours = np.asarray(hours)
        left = self.onset_h + self.growth_h - hours
        return np.where((hours >= self.onset_h) & (left > 0.0), left, np.inf)

    def _share(self, hours: Hours) -> Hours:
        """Return the share of the time from onset to failure that has passed."""
        share: Hours = (np.asarray(hours) - self.onset_h) / self.growth_h
        return share


def ground_truth(
    courses: Sequence[FaultCourse], components: Sequence[str], hours: Hours
) -> dict[str, Hours]:
    """Return the ground truth at operating hours as columns of labels.

    - `<component>.health`: 1 less the severity of its worst fault
    - `health`: that of the worst component
    - `degradation_rate`: the decrease of health per 1000 h
    - `remaining_life`: in 1000 h, at most `LIFE_CAP_H`
    - `<fault>` and `<component>.<fault>`: 0 or 1 for each `Fault`
    - `<component>.<fault>_severity`: 0 to 1; 0 where the component cannot have the fault

    Args:
        courses: The faults.
        components: All components of the machine.
        hours: The operating hours.
    """
    severities = [(each.component, each.fault, each.severity(hours)) for each in courses]
    sound = np.zeros_like(hours)

    def worst(component: str, faults: Collection[Fault]) -> Hours:
        mine = (grown for at, fault, grown in severities if at == component and fault in faults)
        return reduce(np.maximum, mine, sound)

    truth: dict[str, Hours] = {"health": sound}
    truth |= {f"{name}.health": 1.0 - worst(name, tuple(Fault)) for name in components}
    truth["health"] = np.min([truth[f"{name}.health"] for name in components], axis=0)
    rates = (each.rate_per_h(hours) for each in courses)
    truth["degradation_rate"] = 1e3 * reduce(np.maximum, rates, sound)
    left_h = (each.remaining_h(hours) for each in courses)
    truth["remaining_life"] = reduce(np.minimum, left_h, sound + LIFE_CAP_H) / 1e3
    for fault in Fault:
        for name in components:
            severity = worst(name, (fault,))
            truth[f"{name}.{fault}"] = np.asarray(severity >= ACTIVE, dtype=np.float64)
            truth[f"{name}.{fault}_severity"] = severity
        truth[fault.value] = np.max([truth[f"{name}.{fault}"] for name in components], axis=0)
    return truth
