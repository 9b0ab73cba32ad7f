"""Calibration of answers, learned on held-out windows."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from hydrascope.schemas.base import Number, Positive, Spec, Text
from hydrascope.schemas.task import HeadKind, HeadSpec

Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class Conformal(Spec):
    """Conformal prediction: sets and intervals that contain the truth with a given probability."""

    coverage: Annotated[float, Field(strict=True, gt=0, lt=1)]
    """The share of new windows, drawn like the held-out ones, whose truth is in the prediction."""
    margins: Mapping[Text, tuple[Number, ...]]
    """The largest nonconformity of accepted outcomes by head (`models.conformal`): one number, or
    one for each label. Heads with too few held-out windows have none."""
    windows: Annotated[int, Field(strict=True, ge=0)]
    units: Annotated[int, Field(strict=True, ge=0)]
    """The number of groups, kept together by the split, that the windows belong to."""
    unit: Text
    """The kind of group, in the plural: conditions, machines, or windows."""


class Calibration(Spec):
    """Calibration fitted on windows outside the training part."""

    temperatures: Mapping[Text, tuple[Positive, ...]]
    """The divisors of the logits by head: one number, or one for each label of a multi-label head.
    Other heads are not calibrated."""
    thresholds: Mapping[Text, Share]
    """The calibrated probability from which `<head>.<label>` of a multi-label head is flagged."""
    conformal: Conformal
    uncalibrated: Mapping[Text, Text]
    """Heads with uncalibrated outcomes → the reason."""


FLAG_PROBABILITY = 0.5
"""The probability from which a flag is raised if no threshold was chosen."""


def flag_names(head: HeadSpec) -> tuple[str, ...]:
    """Return the names of a head's flags in thresholds, if it has flags."""
    match head.kind:
        case HeadKind.BINARY:
            return (head.name,)
        case HeadKind.MULTI_LABEL:
            return tuple(f"{head.name}.{label}" for label in head.labels)
    return ()


def flag_thresholds(head: HeadSpec, thresholds: Mapping[str, float]) -> tuple[float, ...]:
    """Return the probability from which each of a head's flags is raised."""
    return tuple(thresholds.get(name, FLAG_PROBABILITY) for name in flag_names(head))
