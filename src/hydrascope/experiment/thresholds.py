"""Thresholds of normality that are set anew after a training."""

from hydrascope.experiment.job_settings import NormalityChange
from hydrascope.experiment.restore import Restored
from hydrascope.models.normality.forecast import ForecastNormality
from hydrascope.schemas.errors import SpecError
from hydrascope.training.fit_normality import calibrate

Reset = dict[str, tuple[float | str, float | str]]
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
    if change.level_share is not None and not isinstance(diagnoser.normality, ForecastNormality):
        raise SpecError(
            f"normality.level_share: {settings.model.name} makes no forecast, so that its scores "
            "have no level; accepted: null"
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
    spec = spec.model_copy(update=given)
    if isinstance(diagnoser.normality, ForecastNormality):
        diagnoser.normality.level_share = spec.level_share
    calibrate(diagnoser, data, spec)
    task = settings.task.model_copy(update={"normality": spec})
    return restored._replace(settings=settings.model_copy(update={"task": task})), reset
