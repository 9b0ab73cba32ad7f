"""The answer to a window, in terms of the task."""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import BLAME, COMPONENT, MACHINE, OPERATING_POINT, SENSOR
from hydrascope.schemas.task import HeadLevel
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.diagnosis.findings import AnswerModel, Finding, Limits, build_finding
from hydrascope.serving.diagnosis.fitness import InputFitness, input_fitness, trust_in
from hydrascope.serving.windows import ReferenceUse, TelemetryWindow, WindowAnswer


class Normality(AnswerModel):
    """Distances from normal as shares of the thresholds: above 1 an alarm, null nothing to score.

    They are of this window alone, without smoothing over several. A model whose alarms are counted
    in hours joins windows in a watch; above 1 a window then speaks for a fault.
    """

    machine: float | None
    components: dict[str, float | None]
    """By component ID."""
    sensors: dict[str, float | None]
    """By sensor ID."""
    blame: dict[str, float] | None = None
    """The probability of each component, by its ID, that it is to blame, given that one of them is;
    null where the machine is not above 1, and from a model that blames no components."""
    operating_point: float | None = None
    """Distance of what the machine is asked to do from all that was learned, as a share of the
    limit; null where the model does not judge it."""
    new_operating_point: bool = False
    """Whether it is above 1. Nothing is known of sound machines there, so all shares are null."""

    @property
    def blamed(self) -> str | None:
        """The component that is most probably to blame; None where none is blamed."""
        return max(self.blame, key=self.blame.__getitem__) if self.blame else None


class Missing(AnswerModel):
    """What was missing of a sensor's input."""

    samples: float
    """Share of the window's samples that were missing or out of range."""
    steps: float
    """Share of the window's steps with too few samples."""


class ModelName(AnswerModel):
    """The model that answered."""

    task: str
    version: str


class Timing(AnswerModel):
    """Times of a request by stage, in milliseconds."""

    queue_ms: float
    features_ms: float
    network_ms: float
    total_ms: float


class Diagnosis(AnswerModel):
    """The answer to one window."""

    equipment_id: str
    window: TimeWindow
    model: ModelName
    health: float | None
    """Lowest health of any component or of the machine; null where the task has none, or no answer
    is reliable."""
    machine: dict[str, Finding]
    """By head."""
    components: dict[str, dict[str, Finding]]
    """By component ID, then by head; without components that have no head."""
    component_health: dict[str, float]
    """Lowest health of each component over its heads."""
    normality: Normality | None = None
    """Null where the task has none."""
    fitness: InputFitness | None = None
    """Null from a model that does not judge its input, such as one with normality."""
    missing: dict[str, Missing]
    """By sensor ID; only sensors of which something was missing."""
    reference: ReferenceUse | None = None
    """What the window was compared with: the reference windows that were given, the bundle's
    reference, or nothing where both are missing; null where the model reads no references."""
    cached: bool = False
    """Whether the answer comes from the cache."""
    timing: Timing | None = None


def build_diagnosis(
    window: TelemetryWindow,
    answer: WindowAnswer,
    manifest: Manifest,
    version: str,
    least_right: float | None = None,
) -> Diagnosis:
    """Return the diagnosis of a window; `least_right` replaces the bundle's limits."""
    components: dict[str, dict[str, Finding]] = {}
    machine: dict[str, Finding] = {}
    fitness = input_fitness(window.machine, answer.fitness, manifest.window.window_s)
    for head in manifest.task.heads:
        limits = Limits.from_manifest(head, manifest, least_right)
        answers = answer.heads[head.name]
        least, found_of = limits.least_right, answer.fitness
        trust = partial(trust_in, head, least=least, found=found_of, summary=fitness)
        if head.level is HeadLevel.MACHINE:
            machine[head.name] = build_finding(head, answers, limits, trust(0))
            continue
        for row, component in enumerate(window.machine.topology.components):
            if head.components is None or component.id in head.components:
                found = build_finding(head, answers[row], limits, trust(row))
                components.setdefault(component.id, {})[head.name] = found
    component_health = {
        component: lowest
        for component, findings in components.items()
        if (lowest := _lowest_health(findings.values())) is not None
    }
    everywhere = (each for own in (machine, *components.values()) for each in own.values())
    end = window.start + timedelta(seconds=manifest.window.window_s)
    return Diagnosis(
        equipment_id=window.machine.equipment.equipment_id,
        window=TimeWindow(start=window.start, end=end),
        model=ModelName(task=manifest.task.name, version=version),
        health=_lowest_health(everywhere),
        machine=machine,
        components=components,
        component_health=component_health,
        normality=_normality(window.machine, answer.normality),
        fitness=fitness,
        missing=_missing(window.machine, answer),
        reference=answer.reference,
    )


def _normality(machine: Machine, scores: Mapping[str, NDArray[Any]]) -> Normality | None:
    if not scores:
        return None
    level = {
        name: [None if math.isnan(value) else value for value in values.tolist()]
        for name, values in scores.items()
    }
    (machine_score,) = level[MACHINE]
    (point,) = level.get(OPERATING_POINT, [None])
    topology = machine.topology
    components = [component.id for component in topology.components]
    blame = [each for each in level.get(BLAME, []) if each is not None]  # all of them, or none
    sensors = [sensor.id for _, sensor in topology.sensors]
    return Normality(
        machine=machine_score,
        components=dict(zip(components, level[COMPONENT], strict=True)),
        sensors=dict(zip(sensors, level[SENSOR], strict=True)),
        blame=dict(zip(components, blame, strict=True)) if blame else None,
        operating_point=point,
        new_operating_point=point is not None and point > 1.0,
    )


def _missing(machine: Machine, answer: WindowAnswer) -> dict[str, Missing]:
    samples, steps = 1.0 - answer.present, 1.0 - answer.observed.mean(axis=1)
    sensors = machine.topology.sensors
    return {
        sensors[row][1].id: Missing(samples=float(samples[row]), steps=float(steps[row]))
        for row in np.flatnonzero((samples > 0) | (steps > 0))
    }


def _lowest_health(findings: Iterable[Finding]) -> float | None:
    return min((each.health for each in findings if each.health is not None), default=None)
