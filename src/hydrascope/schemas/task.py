"""Tasks, which define predictions as a list of heads."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text
from hydrascope.schemas.metric_paths import MetricPaths
from hydrascope.schemas.normality import NormalitySpec


class HeadLevel(StrEnum):
    """Levels of heads: single components or the whole machine."""

    COMPONENT = "component"
    MACHINE = "machine"


class HeadKind(StrEnum):
    """Kinds of heads."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTI_LABEL = "multi_label"
    MULTI_CLASS = "multi_class"
    ORDINAL = "ordinal"
    """Ordered classes; for each but the last, the network predicts whether it is exceeded."""


_GRADED = (HeadKind.MULTI_CLASS, HeadKind.ORDINAL)
_JOINED = (HeadKind.REGRESSION, HeadKind.BINARY, HeadKind.MULTI_LABEL)
"""The kinds whose component answers can be combined to a machine's answer."""

HEALTH = "health"
"""The label of the health of machines and components, from 1 (sound) to 0 (failed)."""


class ClassSpec(Spec):
    """A class of a head."""

    value: Number
    """Value in the label column."""
    name: Text
    """For people."""


class HeadSpec(Spec):
    """A prediction of the task. The order of `classes` and `labels` is that of the outputs."""

    name: Identifier
    """Name of the answers, in tables and in the service."""
    level: HeadLevel
    """Whether the head predicts for components or machines."""
    kind: HeadKind
    """Kind of the prediction."""
    components: tuple[Identifier, ...] | None = Field(default=None, min_length=1)
    """Ids of the components that a component-level head applies to; None: all."""
    label: Text | None = Field(default=None, validate_default=True)
    """Label column; None: the head's name. A head with labels reads one column for each."""
    classes: tuple[ClassSpec, ...] = Field(default=(), validate_default=True)
    """Classes of a multi-class or ordinal head; ordinal classes from lowest to highest."""
    labels: tuple[Text, ...] = Field(default=(), validate_default=True)
    """Labels of a multi-label head, or names of a regression's values if it has several."""
    unit: Text | None = None
    """Unit of the label's values."""
    healthy: Number | None = Field(default=None, validate_default=True)
    """Value of a healthy component or machine: the value of a class, or 0 or 1 for a binary head.
    The service reports its probability as health, and normality learns from windows with this
    value. None: the head does not describe health."""
    weight: Positive = 1.0
    """Factor of the head's loss."""
    huber_delta: Positive = 1.0
    """Threshold of the Huber loss of a regression without quantiles: the loss is quadratic below it
    and linear above it. If it is small compared to the label's spread, the head learns the median
    rather than the mean."""
    quantiles: tuple[Number, ...] = ()
    """Quantiles of a regression that predicts an interval, such as 0.05, 0.5, 0.95, learned by the
    pinball loss. Empty: one value, learned by the Huber loss."""
    scale: Literal["linear", "log"] = "linear"
    """Scale on which a regression is learned. `log` learns log(1 + y) of labels y ≥ 0. Answers,
    metrics and intervals are in `unit` all the same."""
    cap: Positive | None = None
    """Value above which a regression's labels count as this value, in training and in tests. An
    answer equal to it means this value or more. None: no cap."""
    metrics: MetricPaths = ()
    """Import paths of further metrics of a regression, such as `my_metrics.phm08`: functions of the
    true and the predicted values, both [R], or [R, L] with labels. Smaller results are better."""
    focal_gamma: Annotated[float, Field(strict=True, ge=0)] = 0.0
    """Exponent of the focal loss of a binary, multi-label or multi-class head, which reduces the
    weight of rows that are already predicted well; 0: cross-entropy."""
    class_weights: bool = False
    """Whether all classes in the training windows have the same total weight."""
    evidence: Identifier | None = None
    """The component-level head from which the network derives this one. For a machine-level head,
    labels are joined by the log-sum-exp of the components' logits, and `health` is the minimum over
    the components. For a component-level regression of `health`, it is a regression with labels:
    severities from 0 (sound) to 1 (failed). `health` is then 1 minus the largest severity."""

    @field_validator("components")
    @classmethod
    def _only_of_components(
        cls, components: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        if components and info.data.get("level") is HeadLevel.MACHINE:
            raise ValueError("a machine-level head has no components; leave it out")
        if components and len(set(components)) < len(components):
            raise ValueError("expected distinct component ids")
        return components

    @field_validator("label")
    @classmethod
    def _one_column(cls, label: str | None, info: ValidationInfo) -> str | None:
        if label and info.data.get("kind") is HeadKind.MULTI_LABEL:
            raise ValueError("a multi_label head reads the columns in labels; leave it out")
        return label

    @field_validator("classes")
    @classmethod
    def _classes_of_kind(
        cls, classes: tuple[ClassSpec, ...], info: ValidationInfo
    ) -> tuple[ClassSpec, ...]:
        kind = info.data.get("kind")
        if kind in _GRADED and len(classes) < 2:
            raise ValueError(f"a head of kind {kind} needs at least two classes {{value, name}}")
        if kind is not None and kind not in _GRADED and classes:
            raise ValueError(f"a head of kind {kind} has no classes; leave it out")
        if len({each.value for each in classes}) < len(classes):
            raise ValueError("expected classes of distinct values")
        if len({each.name for each in classes}) < len(classes):
            raise ValueError("expected classes of distinct names")
        return classes

    @field_validator("labels")
    @classmethod
    def _labels_of_kind(cls, labels: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kind = info.data.get("kind")
        if kind is HeadKind.MULTI_LABEL and not labels:
            raise ValueError("a head of kind multi_label needs at least one label")
        if kind not in (None, HeadKind.MULTI_LABEL, HeadKind.REGRESSION) and labels:
            raise ValueError(f"a head of kind {kind} has no labels; leave it out")
        if labels and info.data.get("label"):
            raise ValueError("a head has a label or labels; leave one of them out")
        if len(set(labels)) < len(labels):
            raise ValueError("expected distinct labels")
        return labels

    @field_validator("healthy")
    @classmethod
    def _healthy_of_kind(cls, healthy: float | None, info: ValidationInfo) -> float | None:
        kind = info.data.get("kind")
        values = [each.value for each in info.data.get("classes") or ()]
        if kind is HeadKind.BINARY:
            values = [0, 1]
        if healthy is not None and healthy not in values:
            expected = ", ".join(f"{value:g}" for value in values) or "none for this kind of head"
            raise ValueError(f"expected the value of a class: {expected}")
        return healthy

    @field_validator("quantiles", "scale", "cap", "metrics")
    @classmethod
    def _of_values(cls, given: object, info: ValidationInfo) -> object:
        of_others = given in ((), "linear", None)
        if not of_others and info.data.get("kind") not in (None, HeadKind.REGRESSION):
            raise ValueError(f"only a regression has {info.field_name}; leave it out")
        return given

    @field_validator("quantiles")
    @classmethod
    def _around_the_median(
        cls, quantiles: tuple[float, ...], info: ValidationInfo
    ) -> tuple[float, ...]:
        if not quantiles:
            return quantiles
        if info.data.get("labels"):
            raise ValueError("a regression with labels has no quantiles; leave one of them out")
        ascending = list(quantiles) == sorted(set(quantiles))
        if not (ascending and 0.5 in quantiles and quantiles[0] > 0 and quantiles[-1] < 1):
            raise ValueError("expected ascending numbers between 0 and 1 with 0.5 among them")
        return quantiles

    @field_validator("focal_gamma")
    @classmethod
    def _of_probabilities(cls, focal_gamma: float, info: ValidationInfo) -> float:
        if focal_gamma and info.data.get("kind") in (HeadKind.REGRESSION, HeadKind.ORDINAL):
            raise ValueError("only binary, multi_label and multi_class heads have a focal loss")
        return focal_gamma

    @field_validator("class_weights")
    @classmethod
    def _of_classes(cls, class_weights: bool, info: ValidationInfo) -> bool:
        if class_weights and info.data.get("kind") is HeadKind.REGRESSION:
            raise ValueError("a regression has no classes; leave it out")
        return class_weights

    @field_validator("evidence")
    @classmethod
    def _of_machines(cls, evidence: str | None, info: ValidationInfo) -> str | None:
        if evidence and info.data.get("level") is HeadLevel.COMPONENT:
            health = (info.data.get("label") or info.data.get("name")) == HEALTH
            if not health or info.data.get("kind") is not HeadKind.REGRESSION:
                raise ValueError(
                    "only a machine-level head, or a regression of health, can be derived from "
                    "components; leave it out"
                )
        return evidence

    @property
    def median(self) -> int:
        """The position of a regression's value among its outputs; with labels, of the first."""
        return self.quantiles.index(0.5) if self.quantiles else 0

    @property
    def size(self) -> int:
        """The number of the network's outputs."""
        match self.kind:
            case HeadKind.MULTI_LABEL | HeadKind.REGRESSION if self.labels:
                return len(self.labels)
            case HeadKind.MULTI_CLASS:
                return len(self.classes)
            case HeadKind.ORDINAL:
                return len(self.classes) - 1
            case HeadKind.REGRESSION if self.quantiles:
                return len(self.quantiles)
            case _:
                return 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The label columns that the head reads."""
        return self.labels or (self.label or self.name,)


_TAKEN = ("forecast", "normality")
"""The names of what stands beside the heads, in losses and reports."""


class TaskSpec(Spec):
    """The content of a task file: heads that are learned together, normality, or both."""

    name: Identifier
    """Name in reports and bundles."""
    description: str = ""
    """For people."""
    normality: NormalitySpec | None = None
    """Learning of healthy telemetry; None: off."""
    heads: tuple[HeadSpec, ...] = Field(default=(), validate_default=True)
    """Predictions of labels."""

    @field_validator("heads")
    @classmethod
    def _some_and_distinct(
        cls, heads: tuple[HeadSpec, ...], info: ValidationInfo
    ) -> tuple[HeadSpec, ...]:
        if not heads and info.data.get("normality", "wrong") is None:
            raise ValueError("expected at least one head, or normality")
        names = [head.name for head in heads]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"expected heads of distinct names; repeated: {', '.join(repeated)}")
        if taken := sorted(set(names).intersection(_TAKEN)):
            raise ValueError(f"expected other names; not for heads: {', '.join(taken)}")
        for head in heads:
            if head.evidence and (fault := _unfit(head, {each.name: each for each in heads})):
                raise ValueError(f"{head.name}: evidence {head.evidence!r} {fault}")
        return heads


def _unfit(head: HeadSpec, heads: Mapping[str, HeadSpec]) -> str | None:
    """Return why a head cannot be derived from its evidence, or None if it can."""
    of = heads.get(head.evidence or "")
    if of is None or of.level is not HeadLevel.COMPONENT:
        components = [name for name, each in heads.items() if each.level is HeadLevel.COMPONENT]
        accepted = ", ".join(components) or "none is in this task"
        return f"is not a component-level head; accepted: {accepted}"
    if any(each.scale == "log" or each.cap is not None for each in (head, of)):
        return "or this head has a cap or a log scale; accepted: two heads without them"
    if head.level is HeadLevel.COMPONENT:
        return _unfit_severities(head, of)
    if head.kind not in _JOINED or of.kind is not head.kind:
        return f"is of kind {of.kind}; accepted: both of one kind of {', '.join(_JOINED)}"
    if of.columns != head.columns:
        columns, read = ", ".join(head.columns), ", ".join(of.columns)
        return f"reads {read}; accepted: a head that reads {columns}, in this order"
    if head.kind is HeadKind.REGRESSION and (head.columns != (HEALTH,) or head.labels):
        return f"is a regression; accepted: one of the label {HEALTH}"
    if head.quantiles or of.quantiles:
        return "cannot be combined with quantiles; accepted: two heads without quantiles"
    return None


def _unfit_severities(head: HeadSpec, of: HeadSpec) -> str | None:
    """Return why the health of components cannot be derived from severities, or None."""
    if of.kind is not HeadKind.REGRESSION or not of.labels or of.evidence:
        return "has no severities; accepted: a regression with labels and without evidence"
    if of.components != head.components:
        return "has other components; accepted: a head with the same components"
    if head.quantiles:
        return "cannot give quantiles; accepted: a head without quantiles"
    return None
