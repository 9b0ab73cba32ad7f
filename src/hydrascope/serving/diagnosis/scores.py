"""Numbers of an answer that the metrics observe."""

from typing import NamedTuple

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import MACHINE
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.findings import Finding, outcomes
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.windows import WindowAnswer


class Score(NamedTuple):
    """A probability, or the value of a regression."""

    head: str
    outcome: str | None
    """None for a regression."""
    number: float


def prepare_series(manifest: Manifest, metrics: Metrics) -> None:
    """Make the series of all outcomes at the start, not by the first request."""
    for head in manifest.task.heads:
        for outcome in outcomes(head):
            metrics.score.labels(head.name, outcome)


def _findings(diagnosis: Diagnosis) -> list[tuple[str, Finding]]:
    places = diagnosis.machine, *diagnosis.components.values()
    return [each for own in places for each in own.items()]


def observe_answer(
    metrics: Metrics, machine: Machine, answer: WindowAnswer, diagnosis: Diagnosis
) -> None:
    """Observe an answer's scores, and the drift of its input.

    Sensors are named alike for all machines of one build.
    """
    for sensor in diagnosis.fitness.sensors.values() if diagnosis.fitness is not None else ():
        metrics.unusable.labels(sensor.state).inc()
    for name, each in _findings(diagnosis):
        if each.reliable is False:
            metrics.unreliable.labels(name).inc()
    names = [f"{machine.topology.id}/{sensor.id}" for _, sensor in machine.topology.sensors]
    metrics.observe_drift(zip(names, answer.drift.tolist(), strict=True))
    for score in scores(diagnosis):
        if score.outcome is None:
            metrics.value.labels(score.head).set(score.number)
        else:
            metrics.score.labels(score.head, score.outcome).observe(score.number)


def scores(diagnosis: Diagnosis) -> list[Score]:
    """Return the scores of every reliable finding, and of the machine's normality."""
    found = []
    for head, each in _findings(diagnosis):
        if each.reliable is False:
            continue
        if each.values is not None:
            found += [Score(f"{head}.{name}", None, value) for name, value in each.values.items()]
        elif each.probabilities is None:
            assert each.value is not None
            found.append(Score(head, None, each.value))
        elif each.outcome is not None:
            found.append(Score(head, each.outcome, each.probabilities[each.outcome]))
        else:
            found += [Score(head, name, p) for name, p in each.probabilities.items()]
    if diagnosis.normality is not None and diagnosis.normality.machine is not None:
        found.append(Score(MACHINE, None, diagnosis.normality.machine))
    return found
