"""What was learned on held-out windows about how far answers can be trusted."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from hydrascope.schemas.base import Number, Positive, Spec, Text
from hydrascope.schemas.task import HeadKind, HeadSpec

Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class Conformal(Spec):
    """How far an answer may be from the truth in a stated share of windows."""

    coverage: Annotated[float, Field(strict=True, gt=0, lt=1)]
    """Share of new windows, drawn as the held-out ones were, whose truth is among what is kept."""
    margins: Mapping[Text, tuple[Number, ...]]
    """A head's name → how strange an outcome may be to be kept (`models.conformal`); one number,
    of a head with labels one a label. Heads with too few held-out windows have none."""
    windows: Annotated[int, Field(strict=True, ge=0)]
    units: Annotated[int, Field(strict=True, ge=0)]
    """How many of what the split keeps together the windows were of."""
    unit: Text
    """What that is, in the plural: conditions, machines, or windows."""


class Calibration(Spec):
    """Fitted on windows that the answers were not trained on."""

    temperatures: Mapping[Text, tuple[Positive, ...]]
    """A head's name → what its logits are divided by; one number, of a multi-label head one a
    label. Heads without one answer as they were trained to."""
    thresholds: Mapping[Text, Share]
    """`<head>.<label>` of a multi-label head → calibrated probability from which it is flagged."""
    conformal: Conformal
    uncalibrated: Mapping[Text, Text]
    """Heads with outcomes that are left as they were trained → why."""


FLAG_PROBABILITY = 0.5
"""From which a flag is raised where no threshold was chosen."""


def flag_names(head: HeadSpec) -> tuple[str, ...]:
    """Return the names by which thresholds know a head's flags; none for a head without flags."""
    match head.kind:
        case HeadKind.BINARY:
            return (head.name,)
        case HeadKind.MULTI_LABEL:
            return tuple(f"{head.name}.{label}" for label in head.labels)
    return ()


def flag_thresholds(head: HeadSpec, thresholds: Mapping[str, float]) -> tuple[float, ...]:
    """Return the probability from which each of a head's flags is raised."""
    return tuple(thresholds.get(name, FLAG_PROBABILITY) for name in flag_names(head))
