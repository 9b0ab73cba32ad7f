"""Thresholds of normality that are set anew after a training."""

from collections.abc import Mapping
from typing import Any

from hydrascope.experiment.job_settings import NormalityChange
from hydrascope.experiment.restore import Restored
from hydrascope.models.detectors.detector import Detector
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.training.fit_normality import calibrate

_OF_WINDOWS = ("threshold", "run_windows", "smoothing")
"""What has no meaning with a budget in hours."""
Reset = dict[str, tuple[float | str | None, float | str]]
"""Changed key → its value in training and its value now."""


def with_thresholds(restored: Restored, change: NormalityChange) -> tuple[Restored, Reset]:
    """Set the thresholds anew, if `change` differs from the training; return what differs too.

    They are set on the validation windows, as in training. Nothing else is fitted.

    Raises:
        SpecError: The task has no normality, its scores have no level that could be weighed, or the
            data are not those of the training.
    """
    given = change.model_dump(exclude_none=True)
    settings, diagnoser, data = restored
    spec = settings.task.normality
    if given and (spec is None or diagnoser.normality is None):
        raise SpecError(
            f"normality.{next(iter(given))}: the checkpoint's task has no normality; accepted: null"
        )
    model = diagnoser.model
    if change.level_share is not None and isinstance(model, Detector) and not model.by_value:
        raise SpecError(
            f"normality.level_share: {change.level_share:g} is not accepted; the scores of "
            f"{settings.model.name} have no level; accepted: null"
        )
    if given and not len(data.split.val):
        raise SpecError(
            f"normality.{next(iter(given))}: thresholds are set anew on held-out windows of the "
            "training's data; accepted: null with judge=all"
        )
    reset: Reset = {
        key: (before, now) for key, now in given.items() if (before := getattr(spec, key)) != now
    }
    if spec is None or diagnoser.normality is None or not reset:
        return restored, reset
    spec = _changed(spec, given)
    diagnoser.normality.level_share = spec.level_share
    calibrate(diagnoser, data, spec)
    task = settings.task.model_copy(update={"normality": spec})
    return restored._replace(settings=settings.model_copy(update={"task": task})), reset


def _changed(spec: NormalitySpec, given: Mapping[str, Any]) -> NormalitySpec:
    """Return the task's settings with changes; a budget of one kind takes the place of the other.

    Raises:
        SpecError: They do not go together.
    """
    kept = spec.model_dump()
    if "false_alarms_per_1000_h" in given:
        kept |= {name: NormalitySpec.model_fields[name].default for name in _OF_WINDOWS}
        kept["false_alarm_rate"] = None
    elif "false_alarm_rate" in given:
        kept |= {"false_alarms_per_1000_h": None, "judged_every_h": None}
    return validate(NormalitySpec, {**kept, **given}, source="normality")
