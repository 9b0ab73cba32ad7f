"""Learning of healthy telemetry, and the names of the scores of normality."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, ValidationInfo, field_validator, model_validator

from hydrascope.schemas.base import Number, Positive, Spec, Text

MACHINE, COMPONENT, SENSOR = "normality.machine", "normality.component", "normality.sensor"
OPERATING_POINT = "normality.operating_point"
"""The name of the distance from all learned operating points, as a share of its limit, [G, 1];
above 1 the point is new."""
LEVELS = (MACHINE, COMPONENT, SENSOR)
"""The names of the scores, with shapes [G, 1], [N, 1] and [S, 1]."""

BLAME = "normality.blame"
"""The name of the probability that a component is to blame, [N, 1]; NaN where the machine's score
is not above its threshold."""

LabelValues = Mapping[Text, Number | Text | tuple[Number | Text, ...]]
"""Label column → its accepted value or values."""
FalseAlarmRate = Annotated[float, Field(strict=True, gt=0.0, lt=0.5)]
FalseAlarmsPer1000Hours = Annotated[float, Field(strict=True, gt=0.0, le=1000.0)]
JudgedEvery = Annotated[float, Field(strict=True, gt=0.0)]
Smoothing = Annotated[float, Field(strict=True, ge=0.0, lt=1.0)]
RunWindows = Annotated[int, Field(strict=True, ge=1, le=1000)]
LevelShare = Positive
CrossFolds = Annotated[int, Field(strict=True, ge=0, le=100)]
ThresholdRule = Literal["conformal", "quantile", "sigma", "gamma"]
"""The rule by which held-out scores set a threshold; see `tasks.alarm_thresholds.THRESHOLDS`."""


class NormalityFit(Spec):
    """The windows that normality learns from: those that meet every condition given."""

    healthy: LabelValues | None = None
    """Label column → its value or values. None: whatever the labels are."""
    first_windows: Annotated[int, Field(strict=True, ge=1)] | None = None
    """Number of windows from the start of each machine's telemetry. None: no limit."""
    first_share: Annotated[float, Field(strict=True, gt=0.0, lt=1.0)] | None = None
    """Share of each machine's windows, from the start of its telemetry. None: no limit."""
    start: AwareDatetime | None = None
    """Time with time zone before which no window begins. None: no limit."""
    end: AwareDatetime | None = None
    """Time with time zone after which no window ends. None: no limit."""

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start")
        if start is not None and end is not None and end <= start:
            raise ValueError(f"expected a time after start, {start.isoformat()}")
        return end


class NormalitySpec(Spec):
    """Learning of healthy telemetry without labels of faults."""

    healthy: LabelValues | None = None
    """Label column → its value or values in a healthy window. None: as the heads define it; if no
    head does, all windows are healthy."""
    fit: NormalityFit | None = None
    """Windows to learn from. None: the healthy ones."""
    truth: LabelValues | None = None
    """Label column → its value or values in a healthy window when detection is judged. None: as in
    `healthy`."""
    false_alarm_rate: FalseAlarmRate | None = 0.01
    """Share of healthy windows in which a score may exceed its threshold. None: alarms are counted
    in hours."""
    false_alarms_per_1000_h: FalseAlarmsPer1000Hours | None = None
    """Alarms of healthy machines in 1,000 machine-hours. Windows are then judged together, by
    `models.alarm_test`. None: windows or runs are judged by `false_alarm_rate`."""
    judged_every_h: JudgedEvery | None = None
    """Hours from one judged window to the next in use. None: the stride of the windows."""
    threshold: ThresholdRule = "conformal"
    """Rule by which the scores of held-out windows set the threshold. Only conformal is a promise
    for new conditions or machines."""
    threshold_by: Literal["build", "machine"] = "build"
    """Whether all machines of a build share thresholds, or each machine that was trained on has its
    own, set on its own held-out windows."""
    run_windows: RunWindows = 1
    """Number of consecutive windows whose median score is judged; 1: each window by itself."""
    smoothing: Smoothing = 0.0
    """Weight of the previous mean in an exponentially weighted mean of scores; 0: no smoothing."""
    cross_folds: CrossFolds = 0
    """Number of parts of the training windows that are held out in turn, each from a fit of its
    own, so that they set the threshold too. 0: only the validation windows set it."""
    operating_point: tuple[Text, ...] | None = None
    """Sensors that show what a machine is asked to do. A window in which they are unlike all that
    was learned is a new operating point, and has no scores. None: those of kind control_signal."""
    level_share: LevelShare = 1.0
    """Weight of a window's level, its mean deviation, in its scores, relative to that of the
    changes around it. 1: all squares count alike. Less where levels shift under conditions that are
    not in the training data, more than changes do."""

    @model_validator(mode="before")
    @classmethod
    def _of_hours(cls, given: object) -> object:
        if not isinstance(given, Mapping) or given.get("false_alarms_per_1000_h") is None:
            return given
        return {"false_alarm_rate": None, **given}

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        windows, hours = self.false_alarm_rate, self.false_alarms_per_1000_h
        if (windows is None) == (hours is None):
            raise ValueError(
                f"false_alarm_rate: {_plain(windows)} beside false_alarms_per_1000_h: "
                f"{_plain(hours)}; expected one of them, and null for the other"
            )
        if hours is None:
            if self.judged_every_h is not None:
                raise ValueError(
                    f"judged_every_h: {self.judged_every_h:g} counts the hours of "
                    "false_alarms_per_1000_h, which is null; expected null"
                )
            return self
        for name in ("threshold", "run_windows", "smoothing"):
            value, usual = getattr(self, name), type(self).model_fields[name].default
            if value != usual:
                raise ValueError(
                    f"{name}: {value} is of windows or runs that are judged by false_alarm_rate; "
                    f"expected {usual} with false_alarms_per_1000_h"
                )
        return self

    @field_validator("cross_folds")
    @classmethod
    def _several_folds(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("expected 0, or at least 2")
        return folds

    @field_validator("fit")
    @classmethod
    def _some_condition(cls, fit: NormalityFit | None) -> NormalityFit | None:
        if fit == NormalityFit():
            accepted = ", ".join(NormalityFit.model_fields)
            raise ValueError(f"expected null, or at least one of {accepted}")
        return fit


def _plain(number: float | None) -> str:
    return "null" if number is None else f"{number:g}"
