"""What the service says of a window, in the words of the task."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hydrascope.models import conformal
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import COMPONENT, MACHINE, SENSOR
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.windows import ReferenceUse, TelemetryWindow, WindowAnswer


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Answer):
    """What one head says of one component or of the machine; what its kind has not is null."""

    kind: HeadKind
    outcome: str | None = None
    """Most probable class of a graded head."""
    value: float | None = None
    """Of a regression (its median), or of the most probable class, in `unit`."""
    values: dict[str, float] | None = None
    """Of a regression with labels: of each, in `unit`."""
    quantiles: dict[str, float] | None = None
    """Of a regression that answers with an interval: `0.05`, `0.5`, … → value in `unit`."""
    interval: tuple[float, float] | None = None
    """Of a regression: holds the true value as often as the bundle's `conformal.coverage` says."""
    intervals: dict[str, tuple[float, float]] | None = None
    """Likewise of each of a regression's labels."""
    unit: str | None = None
    probabilities: dict[str, float] | None = None
    """Of each class, of each label, or of a binary head's `present`."""
    flags: list[str] | None = None
    """Labels (or `present`) whose probability reaches the bundle's threshold."""
    possible: list[str] | None = None
    """Classes that hold the true one as often as the bundle's `conformal.coverage` says (of a
    binary head `present`, `not present`); labels whose presence is not ruled out. Empty: no class
    is like what was seen at calibration."""
    health: float | None = None
    """Probability of the class that the task calls healthy."""
    uncertainty: float | None = None
    """Entropy of the probabilities over its largest possible value: 0 certain, 1 a mere guess;
    the mean over labels."""


class Normality(_Answer):
    """How far from normal, as shares of the thresholds: above 1 is an alarm, null nothing to score.

    Of this window alone: smoothing over several is for those who see them in order.
    """

    machine: float | None
    components: dict[str, float | None]
    """By component id."""
    sensors: dict[str, float | None]
    """By sensor id."""


class Missing(_Answer):
    """What was missing of a sensor's input."""

    samples: float
    """Share of the window's samples that were missing or out of the sensor's range."""
    steps: float
    """Share of the window's steps in which the sensor was not counted."""


class ModelName(_Answer):
    """Who answered."""

    task: str
    version: str


class Timing(_Answer):
    """Where the time of a request went, in milliseconds."""

    queue_ms: float
    features_ms: float
    network_ms: float
    total_ms: float


class Diagnosis(_Answer):
    """The answer to one window."""

    equipment_id: str
    window: TimeWindow
    model: ModelName
    health: float | None
    """The least health of any component or of the machine; null where the task has none."""
    machine: dict[str, Finding]
    """By head."""
    components: dict[str, dict[str, Finding]]
    """By component id, then by head; components that no head speaks of are left out."""
    component_health: dict[str, float]
    """The least health that any head says of a component."""
    normality: Normality | None = None
    """Null where the task asks for none."""
    missing: dict[str, Missing]
    """By sensor id; only sensors of which something was missing."""
    reference: ReferenceUse | None = None
    """What the window was compared with: the reference windows that were given, the bundle's own
    reference, or nothing where both are missing; null where the model reads no references."""
    cached: bool = False
    """Whether the answer was given before, to the same content."""
    timing: Timing | None = Field(default=None)


class Limits(NamedTuple):
    """What turns one head's numbers into flags, sets and intervals."""

    thresholds: tuple[float, ...]
    """Of each flag."""
    margins: tuple[float, ...] = ()
    """As in `schemas.calibration.Conformal`; none where the head has none."""

    @classmethod
    def of(cls, head: HeadSpec, manifest: Manifest) -> "Limits":
        """Return what a bundle says of a head."""
        margins = manifest.conformal.margins if manifest.conformal else {}
        return cls(flag_thresholds(head, manifest.thresholds), margins.get(head.name, ()))


def diagnosis(
    window: TelemetryWindow, answer: WindowAnswer, manifest: Manifest, version: str
) -> Diagnosis:
    """Put an answer into words."""
    components: dict[str, dict[str, Finding]] = {}
    machine: dict[str, Finding] = {}
    for head in manifest.task.heads:
        limits = Limits.of(head, manifest)
        answers = answer.heads[head.name]
        if head.level is HeadLevel.MACHINE:
            machine[head.name] = finding(head, answers, limits)
            continue
        for row, component in enumerate(window.machine.topology.components):
            if head.components is None or component.id in head.components:
                found = finding(head, answers[row], limits)
                components.setdefault(component.id, {})[head.name] = found
    component_health = {
        component: least
        for component, findings in components.items()
        if (least := _least(findings.values())) is not None
    }
    overall = [*component_health.values()]
    if (of_machine := _least(machine.values())) is not None:
        overall.append(of_machine)
    end = window.start + timedelta(seconds=manifest.window.window_s)
    return Diagnosis(
        equipment_id=window.machine.equipment.equipment_id,
        window=TimeWindow(start=window.start, end=end),
        model=ModelName(task=manifest.task.name, version=version),
        health=min(overall, default=None),
        machine=machine,
        components=components,
        component_health=component_health,
        normality=normality(window.machine, answer.normality),
        missing=missing(window.machine, answer),
        reference=answer.reference,
    )


def normality(machine: Machine, scores: Mapping[str, NDArray[Any]]) -> Normality | None:
    """Put the scores of a window into words."""
    if not scores:
        return None
    level = {
        name: [None if math.isnan(value) else value for value in values.tolist()]
        for name, values in scores.items()
    }
    (of_machine,) = level[MACHINE]
    topology = machine.topology
    components = [component.id for component in topology.components]
    sensors = [sensor.id for _, sensor in topology.sensors]
    return Normality(
        machine=of_machine,
        components=dict(zip(components, level[COMPONENT], strict=True)),
        sensors=dict(zip(sensors, level[SENSOR], strict=True)),
    )


def finding(head: HeadSpec, answer: NDArray[Any], limits: Limits) -> Finding:
    """Put one head's decoded answer [size] into words."""
    values: list[float] = answer.tolist()
    margins = limits.margins
    match head.kind:
        case HeadKind.REGRESSION if head.labels:
            bounds = zip(head.labels, values, margins, strict=True) if margins else ()
            return Finding(
                kind=head.kind,
                values=dict(zip(head.labels, values, strict=True)),
                intervals={name: (v - margin, v + margin) for name, v, margin in bounds} or None,
                unit=head.unit,
            )
        case HeadKind.REGRESSION:
            named = zip(head.quantiles, values, strict=True) if head.quantiles else ()
            return Finding(
                kind=head.kind,
                value=values[head.median],
                quantiles={f"{quantile:g}": value for quantile, value in named} or None,
                interval=conformal.interval(head, values, margins[0]) if margins else None,
                unit=head.unit,
            )
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            names = outcomes(head)
            health = None
            if head.healthy is not None:
                health = values[0] if head.healthy == 1 else 1 - values[0]
            return Finding(
                kind=head.kind,
                probabilities=dict(zip(names, values, strict=True)),
                flags=[
                    name
                    for name, p, threshold in zip(names, values, limits.thresholds, strict=True)
                    if p >= threshold
                ],
                possible=_possible(head, values, margins),
                health=health,
                uncertainty=sum(_entropy((p, 1 - p)) for p in values) / len(values),
            )
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            best = max(range(len(values)), key=values.__getitem__)
            classes = head.classes
            sound = [row for row, each in enumerate(classes) if each.value == head.healthy]
            return Finding(
                kind=head.kind,
                outcome=classes[best].name,
                value=classes[best].value,
                unit=head.unit,
                probabilities={c.name: p for c, p in zip(classes, values, strict=True)},
                possible=_possible(head, values, margins),
                health=values[sound[0]] if sound else None,
                uncertainty=_entropy(values),
            )


def _possible(
    head: HeadSpec, values: Sequence[float], margins: tuple[float, ...]
) -> list[str] | None:
    if not margins:
        return None
    if head.kind is HeadKind.MULTI_LABEL:
        return conformal.open_labels(head, values, margins)
    return conformal.kept_classes(head, values, margins[0])


def missing(machine: Machine, answer: WindowAnswer) -> dict[str, Missing]:
    """Say what was missing of each sensor's input."""
    samples, steps = 1.0 - answer.present, 1.0 - answer.observed.mean(axis=1)
    sensors = machine.topology.sensors
    return {
        sensors[row][1].id: Missing(samples=float(samples[row]), steps=float(steps[row]))
        for row in np.flatnonzero((samples > 0) | (steps > 0))
    }


def outcomes(head: HeadSpec) -> tuple[str, ...]:
    """Return the outcomes that the metrics may be told of a head; none of a regression."""
    match head.kind:
        case HeadKind.REGRESSION:
            return ()
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            return head.labels or ("present",)
    return tuple(each.name for each in head.classes)


def _least(findings: Iterable[Finding]) -> float | None:
    return min((each.health for each in findings if each.health is not None), default=None)


def _entropy(probabilities: Sequence[float]) -> float:
    total = -sum(p * math.log(p) for p in probabilities if p > 0)
    return min(1.0, max(0.0, total / math.log(len(probabilities))))
