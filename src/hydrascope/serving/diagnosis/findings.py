"""Findings: the answer of one head to a component or the machine."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hydrascope.models import conformal
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.task import HeadKind, HeadSpec


class AnswerModel(BaseModel):
    """A part of an answer: frozen, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


CANNOT_TELL = "cannot_tell"
"""The outcome of an answer that is not reliable."""


class Trust(NamedTuple):
    """How far one answer can be trusted."""

    reliable: bool
    right: float
    basis: float
    reasons: tuple[str, ...]


class Finding(AnswerModel):
    """The answer of one head to a component or the machine; null what its kind does not have.

    An answer that is not reliable has no value, flags, intervals or health: only probabilities.
    """

    kind: HeadKind
    reliable: bool | None = None
    """Whether `right` reaches the bundle's limit for the head; null if the model does not judge the
    fitness of its input."""
    right: float | None = None
    """Probability that the answer is right, given its confidence and the sensors that it had."""
    basis: float | None = None
    """Share of what the answer is usually based on that was there."""
    reasons: list[str] | None = None
    """Why the answer is not reliable; null if it is."""
    outcome: str | None = None
    """Most probable class of a graded head; `cannot_tell` if the answer is not reliable."""
    value: float | None = None
    """Median of a regression, or value of the most probable class, in `unit`."""
    values: dict[str, float] | None = None
    """Value of each label of a regression with labels, in `unit`."""
    quantiles: dict[str, float] | None = None
    """Quantiles of a regression that has some: `0.05`, `0.5`, … → value in `unit`."""
    interval: tuple[float, float] | None = None
    """Interval that holds the true value as often as the bundle's `conformal.coverage` says."""
    intervals: dict[str, tuple[float, float]] | None = None
    """Such an interval of each of a regression's labels."""
    unit: str | None = None
    probabilities: dict[str, float] | None = None
    """Probability of each class, of each label, or of a binary head's `present`."""
    flags: list[str] | None = None
    """Labels (or `present`) whose probability reaches the bundle's threshold."""
    possible: list[str] | None = None
    """Classes that hold the true one as often as the bundle's `conformal.coverage` says (of a
    binary head `present`, `not present`); labels whose presence is not ruled out. Empty: the window
    is unlike those of the calibration."""
    health: float | None = None
    """Probability of the class that the task calls healthy."""
    uncertainty: float | None = None
    """Entropy of the probabilities over its maximum, mean over labels: 0 certain, 1 a guess."""


_WITHHELD = ("value", "values", "quantiles", "interval", "intervals", "flags", "possible", "health")
"""Fields that an unreliable answer does not have."""


class Limits(NamedTuple):
    """Thresholds and margins that make flags, sets and intervals of one head's numbers."""

    thresholds: tuple[float, ...]
    """Threshold of each flag."""
    margins: tuple[float, ...] = ()
    """Conformal margins, as in `schemas.calibration.Conformal`; empty without any."""
    least_right: float = 0.0
    """Probability of being right from which an answer is reliable."""

    @classmethod
    def from_manifest(
        cls, head: HeadSpec, manifest: Manifest, least_right: float | None = None
    ) -> "Limits":
        """Return the limits of a head in a bundle; `least_right` replaces the bundle's."""
        margins = manifest.conformal.margins if manifest.conformal else {}
        least = manifest.least_right.get(head.name, 0.0) if least_right is None else least_right
        return cls(flag_thresholds(head, manifest.thresholds), margins.get(head.name, ()), least)


def build_finding(
    head: HeadSpec, answer: NDArray[Any], limits: Limits, trust: Trust | None = None
) -> Finding:
    """Return the finding of one head's decoded answer [size]; `trust` None if it is not judged."""
    found = _finding(head, answer, limits)
    if trust is None:
        return found
    judged = trust._asdict() | {"reasons": [*trust.reasons] or None}
    if not trust.reliable:
        judged |= dict.fromkeys(_WITHHELD) | {"outcome": CANNOT_TELL}
    return found.model_copy(update=judged)


def _finding(head: HeadSpec, answer: NDArray[Any], limits: Limits) -> Finding:
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


def outcomes(head: HeadSpec) -> tuple[str, ...]:
    """Return the names of a head's outcomes; none of a regression."""
    match head.kind:
        case HeadKind.REGRESSION:
            return ()
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            return head.labels or ("present",)
    return tuple(each.name for each in head.classes)


def _entropy(probabilities: Sequence[float]) -> float:
    total = -sum(p * math.log(p) for p in probabilities if p > 0)
    return min(1.0, max(0.0, total / math.log(len(probabilities))))
