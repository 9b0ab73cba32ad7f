"""Observations: the numbers of a diagnosed window that are drawn over time and judged by rules."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel

Measure = Literal["health", "probability", "value", "normality"]
"""What a number is: a probability of being healthy, the probability of a class or label, a value
with a unit, or a distance from normal as a share of its threshold."""


class Observation(NamedTuple):
    """One number of one window.

    An answer that is not reliable has its observations too, with `reliable` false.
    """

    component_id: str
    """Empty for the machine itself."""
    head: str
    """Empty for the lowest health over all heads, and for normality."""
    finding: str
    """A class, a label, or for the normality of a sensor its ID; empty where there is none."""
    measure: Measure
    value: float
    """NaN where the answer withholds it because it is not reliable, or has nothing to score."""
    shown: bool | None
    """Whether the answer says that the machine shows this fault: its most probable class, or a
    label whose probability reaches the bundle's threshold. False where the answer is not reliable.
    None for what is no fault, such as a healthy class, an operating mode or a value."""
    reliable: bool
    unit: str
    """Empty for numbers without one."""


class Diagnosed(BaseModel):
    """The newest window of a machine that a watch has diagnosed."""

    equipment_id: str
    start: datetime
    end: datetime
    health: float | None


def counts(observation: Observation) -> bool:
    """Return whether an observation counts: it is reliable, and a number."""
    return observation.reliable and math.isfinite(observation.value)


class DiagnosedWindow(NamedTuple):
    """A diagnosis as it is written into the database."""

    start: datetime
    end: datetime
    content: str
    """The diagnosis as JSON."""
    health: float | None
    """The lowest health; None where no answer is reliable, or the task has none."""
    cannot_tell: bool
    """Whether there are answers and none is reliable."""
    observations: Sequence[Observation]


class Point(NamedTuple):
    """A number over some windows."""

    start: datetime
    windows: int
    mean: float
    lowest: float
    highest: float


class Series(NamedTuple):
    """A line of a chart."""

    component_id: str
    head: str
    label: str
    measure: str
    unit: str
    points: list[Point]
