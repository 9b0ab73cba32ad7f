"""How faults grow over a machine's life, and what is true of it at any hour."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hydrascope.simulation.faults import ACTIVE, Fault

Hours = NDArray[np.float64]

LIFE_CAP_H = 1_000.0
"""Remaining life is told up to here: beyond it nothing shows yet."""
_STEP_LEVEL = 0.4
_EXPONENT = 3.0
_ON_SHARE = 0.6


class Course(StrEnum):
    """The form of a fault's growth."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    STEP = "step"
    INTERMITTENT = "intermittent"


@dataclass(frozen=True)
class FaultCourse:
    """One fault of one component, from its onset to the failure, after which it is repaired."""

    fault: Fault
    component: str
    course: Course
    onset_h: float
    growth_h: float
    """From onset to failure."""
    phase_h: float = 0.0
    """Of an intermittent fault's coming and going, every `PERIOD_H`."""

    PERIOD_H = 7.0

    def growth(self, hours: Hours) -> Hours:
        """Return how far the fault has grown, present or not; 0 before onset and after repair."""
        share = (np.asarray(hours) - self.onset_h) / self.growth_h
        grown = np.clip(share, 0.0, 1.0)
        if self.course is Course.EXPONENTIAL:
            grown = np.expm1(_EXPONENT * grown) / math.expm1(_EXPONENT)
        elif self.course is Course.STEP:
            grown = _STEP_LEVEL + (1.0 - _STEP_LEVEL) * grown
        return np.where((share >= 0.0) & (share < 1.0), grown, 0.0)

    def present(self, hours: Hours) -> NDArray[np.bool_]:
        """Whether the fault is there: an intermittent one comes and goes."""
        hours = np.asarray(hours)
        if self.course is not Course.INTERMITTENT:
            return np.full(hours.shape, True)
        return (hours + self.phase_h) % self.PERIOD_H < _ON_SHARE * self.PERIOD_H

    def severity(self, hours: Hours) -> Hours:
        """Return the severity at operating hours."""
        return self.growth(hours) * self.present(hours)

    def rate_per_h(self, hours: Hours) -> Hours:
        """Return the growth per hour (of its envelope, where intermittent)."""
        growing = (np.asarray(hours) >= self.onset_h) & (hours < self.onset_h + self.growth_h)
        slope = np.ones_like(hours, dtype=np.float64)
        if self.course is Course.EXPONENTIAL:
            share = (hours - self.onset_h) / self.growth_h
            slope = _EXPONENT * np.exp(_EXPONENT * np.clip(share, 0, 1)) / math.expm1(_EXPONENT)
        elif self.course is Course.STEP:
            slope = np.full_like(slope, 1.0 - _STEP_LEVEL)
        return np.where(growing, slope / self.growth_h, 0.0)

    def remaining_h(self, hours: Hours) -> Hours:
        """Return the hours to failure; infinite before onset and after repair.

        Before its onset a fault cannot be known of.
        """
        hours = np.asarray(hours)
        left = self.onset_h + self.growth_h - hours
        return np.where((hours >= self.onset_h) & (left > 0.0), left, np.inf)


def ground_truth(
    courses: Iterable[FaultCourse], components: Sequence[str], hours: Hours
) -> dict[str, Hours]:
    """Return what is true at operating hours, a label column each.

    `health` is that of the worst component, `<component>.health` is 1 less the severity of its
    worst fault; `degradation_rate` the fall of health per 1000 h; `remaining_life` in 1000 h, at
    most `LIFE_CAP_H`; a column of 0 and 1 for each `Fault`, and of each component
    `<component>.<fault>`, 0 or 1, and `<component>.<fault>_severity`, 0 to 1: both 0 where it
    cannot have it.

    Args:
        courses: What goes wrong.
        components: All of the machine.
        hours: Of operation.
    """
    courses = list(courses)
    truth: dict[str, Hours] = {"health": np.ones_like(hours)}
    for component in components:
        mine = [course.severity(hours) for course in courses if course.component == component]
        truth[f"{component}.health"] = 1.0 - np.max([np.zeros_like(hours), *mine], axis=0)
    truth["health"] = np.min([truth[f"{name}.health"] for name in components], axis=0)
    rates = [course.rate_per_h(hours) for course in courses]
    truth["degradation_rate"] = 1e3 * np.max([np.zeros_like(hours), *rates], axis=0)
    left = [course.remaining_h(hours) for course in courses]
    truth["remaining_life"] = np.min([np.full_like(hours, LIFE_CAP_H), *left], axis=0) / 1e3
    for fault in Fault:
        worst = np.zeros_like(hours)
        for component in components:
            mine = [
                course.severity(hours)
                for course in courses
                if course.fault is fault and course.component == component
            ]
            severity = np.max([np.zeros_like(hours), *mine], axis=0)
            truth[f"{component}.{fault}"] = _active(severity)
            truth[f"{component}.{fault}_severity"] = severity
            worst = np.maximum(worst, severity)
        truth[fault.value] = _active(worst)
    return truth


def _active(severity: Hours) -> Hours:
    """Return 1 where a fault is severe enough to be an anomaly, else 0."""
    return np.asarray(severity >= ACTIVE, dtype=np.float64)
