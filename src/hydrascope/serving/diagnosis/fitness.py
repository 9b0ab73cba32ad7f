"""What an answer says about the fitness of its input, in words."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import fitness
from hydrascope.schemas.fitness import SensorState
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import HeadSpec
from hydrascope.serving.diagnosis.findings import AnswerModel, Trust

Arrays = Mapping[str, NDArray[Any]]
"""Entries of `schemas.fitness` for one window: [S], [1], and [N] or [1] of the heads."""
_UNUSABLE: Mapping[int, Literal["missing", "stuck", "doubtful"]] = {
    SensorState.MISSING: "missing",
    SensorState.STUCK: "stuck",
    SensorState.DOUBTFUL: "doubtful",
}
_NAMED = 5
"""The most sensors that a reason names."""


class SensorFitness(AnswerModel):
    """A sensor that the answers do without."""

    state: Literal["missing", "stuck", "doubtful"]
    """Missing: not observed. Stuck: it never changed in the window. Doubtful: it contradicts the
    machine's other sensors."""
    reason: str
    """The same in words, with numbers where there are any."""


class InputFitness(AnswerModel):
    """How well the window suits what the model has learned from."""

    unlike: bool
    """Whether the window as a whole is unlike the training data, so that no answer is reliable."""
    typicality: float | None
    """Conformal p-value: share of the held-out training windows whose sensors contradict each other
    at least as much as here. Null if training did not show the machine's build."""
    phase_s: float | None
    """Time into the load cycle at which an unlike window seems to start; null if no shift explains
    it."""
    sensors: dict[str, SensorFitness]
    """By sensor ID: the sensors that the answers do without. In an unlike window only those that
    are missing or stuck."""


def input_fitness(machine: Machine, found: Arrays, window_s: float) -> InputFitness | None:
    """Return the fitness of a window's input; None from a model that does not judge it."""
    if not found:
        return None
    unlike = bool(found[fitness.UNLIKE][0])
    sensors = {}
    for row, (_, sensor) in enumerate(machine.topology.sensors):
        state = int(found[fitness.STATE][row])
        if state not in _UNUSABLE or (unlike and state == SensorState.DOUBTFUL):
            continue
        numbers = (float(found[name][row]) for name in (fitness.READ, fitness.EXPECTED))
        sensors[sensor.id] = SensorFitness(
            state=_UNUSABLE[state], reason=_sensor_reason(state, sensor.unit, *numbers)
        )
    phase = _known(found[fitness.PHASE][0])
    return InputFitness(
        unlike=unlike,
        typicality=_known(found[fitness.TYPICALITY][0]),
        phase_s=None if phase is None else phase * window_s,
        sensors=sensors,
    )


def trust_in(
    head: HeadSpec, row: int, least: float, found: Arrays, summary: InputFitness | None
) -> Trust | None:
    """Return how far one answer of a head can be trusted; None if that is not judged.

    Args:
        head: The head that answered.
        row: The position of the component, 0 for the machine.
        least: The probability of being right from which an answer is reliable.
        found: The entries of the window.
        summary: `input_fitness` of the same window.
    """
    if summary is None or fitness.right(head.name) not in found:
        return None
    right = float(found[fitness.right(head.name)][row])
    basis = float(found[fitness.basis(head.name)][row])
    reliable = bool(are_reliable(found[fitness.right(head.name)][row], least))
    return Trust(reliable, right, basis, () if reliable else _reasons(summary, basis))


def are_reliable(right: NDArray[Any], least: float) -> NDArray[np.bool_]:
    """Return which answers are reliable, by the probability that each is right.

    Args:
        right: These probabilities, in any shape.
        least: The probability from which an answer is reliable.
    """
    exact = np.asarray(right, dtype=np.float64)  # float32 would round `least` too
    return (exact > 0) & (exact >= least)


def _reasons(summary: InputFitness, basis: float) -> tuple[str, ...]:
    if summary.unlike:
        if summary.phase_s is None:
            return ("the window is unlike the training data",)
        return (f"the window seems to start {summary.phase_s:.3g} s into the load cycle",)
    if not summary.sensors:
        return ("the model is less certain of it than of nearly all held-out answers",)
    names = [f"{name} is {each.state}" for name, each in summary.sensors.items()]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    lost = f"{1 - basis:.0%} of what this answer is usually based on is not there"
    return (lost, ", ".join(names[:_NAMED]) + more)


def _sensor_reason(state: int, unit: str, read: float, expected: float) -> str:
    if state == SensorState.MISSING:
        return "no samples"
    if state == SensorState.STUCK:
        return "it does not change within the window"
    if not np.isfinite((read, expected)).all():
        return "it contradicts the other sensors"
    times = f", {read / expected:.3g} times as much" if _large(read, expected) else ""
    return f"its mean is {read:.4g} {unit}; the other sensors suggest {expected:.4g} {unit}{times}"


def _large(read: float, expected: float) -> bool:
    """Whether a factor says more than the two numbers: a wrong unit or scale."""
    return read * expected > 0 and not 0.5 < read / expected < 2


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
