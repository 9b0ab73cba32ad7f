"""What is predicted: a task is a list of heads, written as data."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text


class HeadLevel(StrEnum):
    """Whether a head speaks of single components or of the whole machine."""

    COMPONENT = "component"
    MACHINE = "machine"


class HeadKind(StrEnum):
    """What a head predicts."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTI_LABEL = "multi_label"
    MULTI_CLASS = "multi_class"
    ORDINAL = "ordinal"
    """Classes in an order; the network says for each but the last whether it is exceeded."""


_GRADED = (HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


class ClassSpec(Spec):
    """One class of a head: the value it has in the label column, and its name."""

    value: Number
    name: Text


class HeadSpec(Spec):
    """One thing to predict. The order of `classes` and `labels` is that of the outputs."""

    name: Identifier
    level: HeadLevel
    kind: HeadKind
    components: tuple[Identifier, ...] | None = Field(default=None, min_length=1)
    """Ids of the components a component-level head applies to; all if None."""
    label: Text | None = Field(default=None, validate_default=True)
    """Label column; the head's name if None. A multi-label head reads one column a label."""
    classes: tuple[ClassSpec, ...] = Field(default=(), validate_default=True)
    """Classes of a multi-class or ordinal head, an ordinal one's from lowest to highest."""
    labels: tuple[Text, ...] = Field(default=(), validate_default=True)
    """Names of a multi-label head's labels."""
    unit: Text | None = None
    """Unit of the label's values."""
    healthy: Number | None = Field(default=None, validate_default=True)
    """Value of a sound component or machine: one of the classes', 0 or 1 of a binary head. Its
    probability is what a service calls health; None: the head says nothing of health."""
    weight: Positive = 1.0
    """Factor of the head's loss."""

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
        if kind not in (None, HeadKind.MULTI_LABEL) and labels:
            raise ValueError(f"a head of kind {kind} has no labels; leave it out")
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

    @property
    def size(self) -> int:
        """Number of the network's outputs."""
        match self.kind:
            case HeadKind.MULTI_LABEL:
                return len(self.labels)
            case HeadKind.MULTI_CLASS:
                return len(self.classes)
            case HeadKind.ORDINAL:
                return len(self.classes) - 1
            case _:
                return 1

    @property
    def columns(self) -> tuple[str, ...]:
        """Label columns that the head reads."""
        return self.labels or (self.label or self.name,)


class TaskSpec(Spec):
    """The content of a task file: heads that are learned together."""

    name: Identifier
    description: str = ""
    heads: Annotated[tuple[HeadSpec, ...], Field(min_length=1)]

    @field_validator("heads")
    @classmethod
    def _distinct(cls, heads: tuple[HeadSpec, ...]) -> tuple[HeadSpec, ...]:
        names = [head.name for head in heads]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"expected heads of distinct names; repeated: {', '.join(repeated)}")
        return heads
