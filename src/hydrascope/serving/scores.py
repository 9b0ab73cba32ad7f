"""What the metrics are told of an answer."""

from typing import NamedTuple

from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import MACHINE
from hydrascope.serving.answers import Diagnosis


class Score(NamedTuple):
    """What a metric is told of a finding: a probability, or the value of a regression."""

    head: str
    outcome: str | None
    """None for a regression."""
    number: float


def scores(answer: Diagnosis) -> list[Score]:
    """Return what the metrics are told of every finding, and the machine's normality."""
    findings = [*answer.machine.items()]
    for of_component in answer.components.values():
        findings += of_component.items()
    told = []
    for head, each in findings:
        if each.values is not None:
            told += [Score(f"{head}.{name}", None, value) for name, value in each.values.items()]
        elif each.probabilities is None:
            assert each.value is not None
            told.append(Score(head, None, each.value))
        elif each.outcome is not None:
            told.append(Score(head, each.outcome, each.probabilities[each.outcome]))
        else:
            told += [Score(head, name, p) for name, p in each.probabilities.items()]
    if answer.normality is not None and answer.normality.machine is not None:
        told.append(Score(MACHINE, None, answer.normality.machine))
    return told


def drift_names(machine: Machine) -> list[str]:
    """Return the names of a machine's sensors in the metrics, the same for all of one build."""
    return [f"{machine.topology.id}/{sensor.id}" for _, sensor in machine.topology.sensors]
