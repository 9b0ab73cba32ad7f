"""The numbers of a diagnosis, as rules judge them and charts draw them."""

import math
from collections.abc import Iterator, Mapping, Sequence

from hydrascope.monitoring.observation import DiagnosedWindow, Measure, Observation
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.findings import Finding


def observations_of(diagnosis: Diagnosis, heads: Sequence[HeadSpec]) -> list[Observation]:
    """Return all numbers of a diagnosis: first the machine's, then those of its components.

    Args:
        diagnosis: Of one window.
        heads: Of the task that answered.
    """
    specs = {head.name: head for head in heads}
    levels = {"": diagnosis.machine} | diagnosis.components
    found: list[Observation] = []
    if any(_has_health(head) for head in heads):
        found.append(_number("", "", "", "health", diagnosis.health))
    for component, findings in levels.items():
        if component and any(_has_health(specs[name]) for name in findings):
            lowest = diagnosis.component_health.get(component)
            found.append(_number(component, "", "", "health", lowest))
        for name, finding in findings.items():
            found += _of_finding(component, specs[name], finding)
    return [*found, *_of_normality(diagnosis)]


def for_rules(diagnosis: Diagnosis, heads: Sequence[HeadSpec]) -> list[Observation]:
    """Return the numbers of a diagnosis as rules judge them: whom an alarm of normality names.

    Where a component is to blame, it has the machine's distance from normal and all others have 0.
    A fault upstream is then not blamed on what it causes downstream.

    Args:
        diagnosis: Of one window.
        heads: Of the task that answered.
    """
    found = observations_of(diagnosis, heads)
    normality = diagnosis.normality
    if normality is None or normality.blamed is None:
        return found
    share = dict.fromkeys(normality.components, 0.0) | {normality.blamed: normality.machine}
    return [
        _number(each.component_id, "", "", "normality", share[each.component_id])
        if each.measure == "normality" and each.component_id
        else each
        for each in found
    ]


def cannot_tell(diagnosis: Diagnosis) -> bool:
    """Return whether there are answers and none is reliable."""
    everywhere = (diagnosis.machine, *diagnosis.components.values())
    answers = [finding for findings in everywhere for finding in findings.values()]
    return bool(answers) and all(finding.reliable is False for finding in answers)


def as_kept(diagnosis: Diagnosis, heads: Sequence[HeadSpec]) -> DiagnosedWindow:
    """Return a diagnosis as the database keeps it.

    Args:
        diagnosis: Of one window.
        heads: Of the task that answered.
    """
    return DiagnosedWindow(
        diagnosis.window.start,
        diagnosis.window.end,
        diagnosis.model_dump_json(exclude={"timing", "cached"}),
        diagnosis.health,
        cannot_tell(diagnosis),
        observations_of(diagnosis, heads),
    )


def _has_health(head: HeadSpec) -> bool:
    return head.kind is not HeadKind.REGRESSION and head.healthy is not None


def _of_finding(component: str, head: HeadSpec, finding: Finding) -> Iterator[Observation]:
    if _has_health(head):
        yield _number(component, head.name, "", "health", finding.health)
    if head.kind is HeadKind.REGRESSION:
        values: Mapping[str, float | None] = {"": finding.value}
        if head.labels:
            values = finding.values or dict.fromkeys(head.labels)
        for label, value in values.items():
            yield _number(component, head.name, label, "value", value, head.unit or "")
    for label, probability in (finding.probabilities or {}).items():
        reliable = finding.reliable is not False
        shown = reliable and _shows(finding, label) if _is_fault(head, label) else None
        yield Observation(
            component, head.name, label, "probability", probability, shown, reliable, ""
        )


def _is_fault(head: HeadSpec, label: str) -> bool:
    """Return whether a class or label says that something is wrong, as far as the task tells."""
    if head.kind is HeadKind.MULTI_LABEL:
        return True
    if head.healthy is None:
        return False
    if head.kind is HeadKind.BINARY:
        return head.healthy == 0
    return all(each.name != label or each.value != head.healthy for each in head.classes)


def _shows(finding: Finding, label: str) -> bool:
    return label in finding.flags if finding.flags is not None else label == finding.outcome


def _of_normality(diagnosis: Diagnosis) -> Iterator[Observation]:
    normality = diagnosis.normality
    if normality is None:
        return
    yield _number("", "", "", "normality", normality.machine)
    for component, share in normality.components.items():
        yield _number(component, "", "", "normality", share)
    for sensor, share in normality.sensors.items():
        yield _number("", "", sensor, "normality", share)


def _number(
    component: str, head: str, label: str, measure: Measure, value: float | None, unit: str = ""
) -> Observation:
    """Return an observation of a number that is None where it is withheld."""
    known = math.nan if value is None else value
    return Observation(component, head, label, measure, known, None, value is not None, unit)
