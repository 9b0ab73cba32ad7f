"""Alignment of windows with the load cycle that a model was trained on."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from torch import Tensor

from hydrascope.data.windows import WindowPlan
from hydrascope.schemas import fitness
from hydrascope.schemas.time import TimeWindow


class Answered(Protocol):
    """Some windows with a diagnoser's answers."""

    @property
    def decoded(self) -> Mapping[str, Tensor]:
        """The answers and the entries of `schemas.fitness`."""


Answering = Callable[[WindowPlan, range], Answered]
"""Answers some windows of a plan."""
_LOOKED_AT = 3
"""The first windows of a stretch, which show whether its windows start with the load cycle."""
_TRIALS = 60
"""The starts that are tried, evenly over one window."""


def aligned(plan: WindowPlan, answering: Answering) -> WindowPlan:
    """Return the plan with windows that start with the load cycle, where that makes sense of them.

    A stretch is shifted if its first windows are unlike the training data, and a window that starts
    later is like them. The most typical start is taken. Nothing is shifted if the stride is not a
    multiple of the window: then windows start everywhere. Nor is a padded window, which ends with
    its recording.

    Args:
        plan: The windows of one machine.
        answering: Answers some windows of a plan.
    """
    strides = plan.spec.stride_s / plan.spec.window_s
    if plan.spec.padded or not math.isclose(strides, round(strides), abs_tol=1e-9):
        return plan
    extents = tuple(_shifted(replace(plan, extents=(each,)), answering) for each in plan.extents)
    return replace(plan, extents=extents) if extents != plan.extents else plan


def _shifted(stretch: WindowPlan, answering: Answering) -> TimeWindow:
    """Return the extent of a plan of one stretch, from the start of a load cycle on if need be."""
    (extent,) = stretch.extents
    found = answering(stretch, range(min(_LOOKED_AT, len(stretch)))).decoded
    if fitness.UNLIKE not in found or not bool(found[fitness.UNLIKE].all()):
        return extent
    best, typical = extent, 0.0
    for trial in range(1, _TRIALS):
        shift = timedelta(seconds=trial / _TRIALS * stretch.spec.window_s)
        later = TimeWindow(start=extent.start + shift, end=extent.end)
        if not stretch.spec.count(later):
            continue
        answers = answering(replace(stretch, extents=(later,)), range(1)).decoded
        value = float(answers[fitness.TYPICALITY])
        if not bool(answers[fitness.UNLIKE]) and value > typical:
            best, typical = later, value
    return best
