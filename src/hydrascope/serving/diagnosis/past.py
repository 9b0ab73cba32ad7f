"""Earlier diagnoses and their windows, as charts draw them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hydrascope.monitoring.observation import Point, Series, counts
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.task import HeadSpec
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.observations import observations_of

SensorWord = Literal["ok", "missing", "stuck", "doubtful"]


def lines_of(diagnoses: Iterable[Diagnosis], heads: Sequence[HeadSpec]) -> list[Series]:
    """Return the reliable numbers of diagnoses, a point each.

    Args:
        diagnoses: Of one machine, in order of time.
        heads: Of the task; what other heads once said is left out.
    """
    known = {head.name for head in heads}
    lines: dict[tuple[str, ...], Series] = {}
    for diagnosis in diagnoses:
        for each in observations_of(_without(diagnosis, known), heads):
            if counts(each):
                name = each.component_id, each.head, each.finding, each.measure
                line = lines.setdefault(name, Series(*name, each.unit, []))
                value = each.value
                line.points.append(Point(diagnosis.window.start, 1, value, value, value))
    return list(lines.values())


def state_of(diagnosis: Diagnosis | None, sensor_id: str) -> SensorWord:
    """Return what a diagnosis says of a sensor; `ok` where there is no diagnosis."""
    if diagnosis is None or diagnosis.fitness is None:
        return "ok"
    found = diagnosis.fitness.sensors.get(sensor_id)
    return "ok" if found is None else found.state


def shown_signals(
    signals: Mapping[str, Signal], start: datetime, points: int
) -> dict[str, list[tuple[datetime, float | None, float | None]]]:
    """Return the start, the lowest and the highest of every some samples of each signal.

    Args:
        signals: By sensor ID, from `start` on.
        start: Of the window.
        points: The most values of a signal.
    """
    shown = {}
    for name, signal in signals.items():
        size = -(-len(signal.values) // points)
        starts = range(0, len(signal.values), size)
        shown[name] = [
            (
                start + timedelta(seconds=first / signal.rate_hz),
                *_ends(signal.values[first : first + size]),
            )
            for first in starts
        ]
    return shown


def _ends(values: NDArray[np.float32]) -> tuple[float | None, float | None]:
    there = values[np.isfinite(values)]
    return (float(there.min()), float(there.max())) if len(there) else (None, None)


def _without(diagnosis: Diagnosis, known: set[str]) -> Diagnosis:
    """Return a diagnosis with the findings of known heads alone."""
    everywhere = (diagnosis.machine, *diagnosis.components.values())
    if all(findings.keys() <= known for findings in everywhere):
        return diagnosis
    machine = {name: each for name, each in diagnosis.machine.items() if name in known}
    components = {
        component: {name: each for name, each in findings.items() if name in known}
        for component, findings in diagnosis.components.items()
    }
    return diagnosis.model_copy(update={"machine": machine, "components": components})
