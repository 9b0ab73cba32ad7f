"""The settings of the configuration group `data`: source, windows, split, store, transforms."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from hydrascope.experiment.base import Count, Positive, Settings, Target, UserPath
from hydrascope.features.config import Method, NormaliseBy, Short, TestWindows
from hydrascope.features.regime_spec import RegimeSpec


class WindowSettings(Settings):
    """How telemetry is cut into samples."""

    window_s: Positive
    stride_s: Positive
    steps: Count
    last: bool = False  # not in older checkpoints
    short: Short = "stop"  # not in older checkpoints


class NormaliseSettings(Settings):
    """How features are scaled to a common range."""

    method: Method
    per_step: bool
    clip: Positive
    by: NormaliseBy
    regimes: RegimeSpec | None = None  # not in older checkpoints

    @field_validator("regimes")
    @classmethod
    def _scaled(cls, regimes: RegimeSpec | None, info: ValidationInfo) -> RegimeSpec | None:
        if regimes is not None and info.data.get("method") == "none":
            raise ValueError("expected null, because data.normalise.method is none")
        return regimes


class ReferenceSettings(Settings):
    """Which windows serve as references of their machine."""

    label: str | None
    first_h: Positive | None

    @field_validator("first_h")
    @classmethod
    def _one_of_the_two(cls, first_h: float | None, info: ValidationInfo) -> float | None:
        if first_h is not None and info.data.get("label") is not None:
            raise ValueError("expected null if label is given; set only one of the two")
        return first_h


Listed = list[Annotated[str, BeforeValidator(str)]]
"""Machines, whose ids may be numbers, or times."""


class NamedParts(Settings):
    """Machines (`press_7`) or times (`start/end` in ISO 8601) of each part."""

    train: Annotated[Listed, Field(min_length=1)]
    val: Listed = Field(default_factory=list)
    test: Annotated[Listed, Field(min_length=1)]


class SplitSettings(Settings):
    """Which windows are for training, validation and test."""

    name: Literal[
        "unseen_conditions", "by_machine", "column", "time_blocks", "chronological", "random"
    ]
    group: str
    folds: Annotated[int, Field(ge=2, le=100)]
    val_fraction: Annotated[float, Field(gt=0.0, lt=0.5)]
    val_group: str | None = None  # not in older checkpoints
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # not in older checkpoints
    column: str = "split"  # not in older checkpoints
    parts: NamedParts | None = None  # not in older checkpoints
    test: TestWindows = "all"  # not in older checkpoints
    interval_group: str | None = None  # not in older checkpoints

    @field_validator("parts")
    @classmethod
    def _read(cls, parts: NamedParts | None, info: ValidationInfo) -> NamedParts | None:
        if parts is not None and info.data.get("name") != "column":
            raise ValueError("expected null, or data.split.name=column")
        return parts


class StoreSettings(Settings):
    """Where computed windows are stored, and how they are made and read."""

    folder: UserPath
    n_jobs: int | None
    preload: bool
    verify: Literal["never", "read", "open"]

    @field_validator("n_jobs")
    @classmethod
    def _some(cls, n_jobs: int | None) -> int | None:
        if n_jobs is not None and n_jobs < 1 and n_jobs != -1:
            raise ValueError("expected 1 or more, -1 for all cores, or null")
        return n_jobs


class TransformSettings(Settings):
    """Random changes to the training windows; 0 switches one off."""

    recombination: Annotated[int, Field(ge=0, le=10)]
    drift: Annotated[int, Field(ge=0, le=10)]
    drift_reach: Annotated[float, Field(ge=1.0, le=10.0)] = 1.0  # not in older checkpoints
    transplants: Annotated[int, Field(ge=0, le=10)] = 0  # not in older checkpoints
    feature_noise: Annotated[float, Field(ge=0.0)]
    sensor_dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    edge_dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    time_jitter: Annotated[int, Field(ge=0)]


class DataSettings(Settings):
    """The source, windows, split and loaders."""

    source: Target
    window: WindowSettings
    normalise: NormaliseSettings
    reference: ReferenceSettings = ReferenceSettings(label=None, first_h=None)  # not in older ones
    split: SplitSettings
    fold: Annotated[int, Field(ge=0)]
    store: StoreSettings
    transforms: TransformSettings
    batch_size: Count
    balance: str | None
    num_workers: Annotated[int, Field(ge=0, le=64)]

    @field_validator("reference")
    @classmethod
    def _given_by_machine(
        cls, reference: ReferenceSettings, info: ValidationInfo
    ) -> ReferenceSettings:
        normalise = info.data.get("normalise")
        by_machine = normalise is not None and normalise.by == "machine"
        if by_machine and reference.label is None and reference.first_h is None:
            raise ValueError("expected label or first_h, because data.normalise.by is machine")
        return reference

    @field_validator("fold")
    @classmethod
    def _fold_exists(cls, fold: int, info: ValidationInfo) -> int:
        split = info.data.get("split")
        if split is not None and fold >= split.folds:
            raise ValueError(f"expected 0 to {split.folds - 1}")
        return fold


class MovedSource(Settings):
    """New paths of the data source; null: as in training."""

    folder: UserPath | None = None
    machines: UserPath | None = None
    labels: UserPath | None = None


class MovedStore(Settings):
    """The new path of the store of computed windows; null: as in training."""

    folder: UserPath | None = None


class MovedData(Settings):
    """The data settings that `evaluate.py` and `export.py` accept."""

    source: MovedSource = MovedSource()
    store: MovedStore = MovedStore()


class JudgedSplit(Settings):
    """The test windows that are judged; null: as in training."""

    test: TestWindows | None = None


class JudgedData(MovedData):
    """The data settings that `evaluate.py` accepts."""

    split: JudgedSplit = JudgedSplit()
