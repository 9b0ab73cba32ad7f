"""Bodies of answers, beside diagnoses."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hydrascope import __version__
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.http.problem_body import Problem

_SHOWN_SAMPLES = 200
"""Samples of each signal on the page, at most."""


class EquipmentSummary(BaseModel):
    """One machine, at a glance."""

    equipment_id: str
    name: str
    topology: str
    health: float | None
    """Health of the last window that this process diagnosed; null without one."""
    cannot_tell: int | None
    """Number of answers of the same window that are not reliable; null without one."""
    findings: int | None
    """Number of findings of the same window: components and machine heads that are not sound."""


class ShownSignal(BaseModel):
    """A signal, downsampled for the page."""

    unit: str
    values: list[float | None]


class EquipmentDetail(BaseModel):
    """One machine, with the last window that this process diagnosed."""

    machine: Machine
    diagnosis: Diagnosis | None
    findings: list[str]
    cannot_tell: list[str]
    signals: dict[str, ShownSignal]


class ModelSummary(BaseModel):
    """One bundle at hand."""

    version: str
    active: bool
    manifest: Manifest


class BatchItem(BaseModel):
    """The answer to one item: a diagnosis or a problem."""

    index: int
    diagnosis: Diagnosis | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """An answer to each item, in their order."""

    results: list[BatchItem]


class TopologyVerdict(BaseModel):
    """Whether a topology is valid, and whether the active model can read it."""

    valid: bool
    readable: bool
    faults: list[str]


class State(BaseModel):
    """State of the service."""

    status: str
    version: str = __version__
    model: str | None = None


def findings(answer: Diagnosis) -> list[str]:
    """Return a line for each reliable flag or class that is not healthy, and for each alarm."""
    places = {"machine": answer.machine, **answer.components}
    lines = []
    for place, heads in places.items():
        for head, found in heads.items():
            if found.flags:
                lines.append(f"{place}: {head}: {', '.join(found.flags)}")
            elif found.health is not None and found.health < 0.5:
                lines.append(f"{place}: {head}: {found.outcome}")
    if (normality := answer.normality) is not None:
        scores = {"machine": normality.machine, **normality.components}
        lines += [
            f"{place}: {score:.3g} times as far from normal as its threshold"
            for place, score in scores.items()
            if score is not None and score > 1
        ]
        if normality.blame and (blamed := normality.blamed):
            probability = 100 * normality.blame[blamed]
            lines.append(f"{blamed}: most probably to blame ({probability:.0f} %)")
    return lines


def doubts(answer: Diagnosis) -> list[str]:
    """Return a line for each answer that is not reliable."""
    places = {"machine": answer.machine, **answer.components}
    return [
        f"{place}: {head}: {'; '.join(found.reasons or ())}"
        for place, heads in places.items()
        for head, found in heads.items()
        if found.reliable is False
    ]


def downsample(values: NDArray[np.float32]) -> list[float | None]:
    """Return evenly spaced samples of a signal for the page; None where one is missing."""
    step = max(1, -(-len(values) // _SHOWN_SAMPLES))
    return [None if np.isnan(each) else float(each) for each in values[::step]]
