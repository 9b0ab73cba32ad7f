"""The composed configuration, typed: every key, its range, and nothing else.

Hydra composes YAML; these models decide whether the result makes sense before anything heavy is
imported. Every default lives in `conf/`, beside its description, and nowhere else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from hydrascope.experiment.base import Count, Fraction, Positive, Settings, Target, UserPath
from hydrascope.experiment.launcher.settings import LauncherSettings, LocalSettings
from hydrascope.experiment.model_settings import (
    OUR_DISCRIMINANT,
    OUR_LINEAR,
    OUR_NETWORK,
    DiscriminantSettings,
    LinearSettings,
    ModelSettings,
    NetworkSettings,
)
from hydrascope.experiment.moved import MovedData
from hydrascope.features.config import FeatureConfig, Method, NormaliseBy
from hydrascope.schemas.errors import validate
from hydrascope.schemas.json_schema import DIALECT
from hydrascope.schemas.task import TaskSpec


def _existing_file(path: str) -> str:
    if not Path(path).is_file():
        raise ValueError("expected an existing file, such as …/checkpoints/best.ckpt of a run")
    return path


def _anchored(uri: str) -> str:
    """Let the file of a database stay the same one wherever the process goes."""
    file = uri.removeprefix("sqlite:///")
    return uri if file == uri else f"sqlite:///{Path(file).absolute()}"


def _trained(named: str) -> str:
    if not named.startswith(TRACKED) and not Path(named).is_file():
        raise ValueError(
            "expected an existing file, such as …/checkpoints/best.ckpt of a run, or "
            "mlflow:RUN_ID, or models:/NAME@ALIAS"
        )
    return named


TRACKED = ("mlflow:", "models:/")
"""How the name of a checkpoint begins that MLflow holds."""
CheckpointFile = Annotated[UserPath, AfterValidator(_existing_file)]
Trained = Annotated[UserPath, AfterValidator(_trained)]
"""A checkpoint: a file, or one that MLflow holds."""


class WindowSettings(Settings):
    """How telemetry is cut into samples."""

    window_s: Positive
    stride_s: Positive
    steps: Count


class NormaliseSettings(Settings):
    """How features are brought to a common scale."""

    method: Method
    per_step: bool
    clip: Positive
    by: NormaliseBy


class ReferenceSettings(Settings):
    """Which windows are references of their machine."""

    label: str | None
    first_h: Positive | None

    @field_validator("first_h")
    @classmethod
    def _one_of_the_two(cls, first_h: float | None, info: ValidationInfo) -> float | None:
        if first_h is not None and info.data.get("label") is not None:
            raise ValueError("expected null where label is given; one of the two says it")
        return first_h


class SplitSettings(Settings):
    """Which windows train, which decide when to stop, which are judged."""

    name: Literal["unseen_conditions", "by_machine", "time_blocks", "chronological", "random"]
    group: str
    folds: Annotated[int, Field(ge=2, le=100)]
    val_fraction: Annotated[float, Field(gt=0.0, lt=0.5)]
    val_group: str | None = None  # not in older checkpoints
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # not in older checkpoints


class StoreSettings(Settings):
    """Where computed windows are kept, and how they are made and read."""

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
    """Changes made to the training windows; 0 switches one off."""

    recombination: Annotated[int, Field(ge=0, le=10)]
    drift: Annotated[int, Field(ge=0, le=10)]
    drift_reach: Annotated[float, Field(ge=1.0, le=10.0)] = 1.0  # not in older checkpoints
    transplants: Annotated[int, Field(ge=0, le=10)] = 0  # not in older checkpoints
    feature_noise: Annotated[float, Field(ge=0.0)]
    sensor_dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    edge_dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    time_jitter: Annotated[int, Field(ge=0)]


class DataSettings(Settings):
    """Source, windows, split and loaders."""

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

    @field_validator("fold")
    @classmethod
    def _fold_exists(cls, fold: int, info: ValidationInfo) -> int:
        split = info.data.get("split")
        if split is not None and fold >= split.folds:
            raise ValueError(f"expected 0 to {split.folds - 1}")
        return fold


class ScheduleSettings(Settings):
    """Linear warm-up, then a cosine down to `final_fraction` of the learning rate."""

    warmup_fraction: Fraction
    final_fraction: Fraction


class OptimSettings(Target):
    """Optimiser; keys beyond these go to its constructor."""

    lr: Positive
    weight_decay: Annotated[float, Field(ge=0.0)]
    ema_decay: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None  # not in older checkpoints
    schedule: ScheduleSettings


class TrainerSettings(Settings):
    """Length and hygiene of a training, and how several devices share it."""

    strategy: Literal["single", "ddp", "fsdp"]
    num_nodes: Count = 1  # not in older checkpoints
    max_epochs: Count
    refit_fraction: Annotated[float, Field(gt=0.0, le=1.0)] | None = (
        None  # not in older checkpoints
    )
    gradient_clip_norm: Positive | None
    limit_train_batches: Count | None
    overfit_windows: Count | None = None  # not in older checkpoints, nor are the next two
    detect_anomaly: bool = False
    profiler: Literal["simple", "pytorch"] | None = None
    progress_bar: bool


class HardwareSettings(Settings):
    """Where it runs."""

    accelerator: Literal["cpu", "gpu"]
    devices: Count
    precision: Literal["32-true", "bf16-mixed", "64-true"]
    float8: Literal["native", "emulated"] | None
    compile: bool
    checkpointing: bool
    threads: Count | None


class MLflowSettings(Settings):
    """MLflow: a database or a server by URI."""

    uri: Annotated[str, AfterValidator(_anchored)]
    experiment: str
    parent: str | None = None  # not in the checkpoints of before


class WandbSettings(Settings):
    """Weights & Biases; `offline` writes to the run's folder only."""

    project: str
    mode: Literal["online", "offline"]
    group: str | None = None  # not in the checkpoints of before


class TrackingSettings(Settings):
    """Where metrics go, beside the CSV and JSON in the run's folder."""

    mlflow: MLflowSettings | None
    wandb: WandbSettings | None
    system_metrics_s: Positive | None = None  # not in older checkpoints


class EarlyStoppingSettings(Settings):
    """Stop when the monitored value has not improved for `patience` epochs."""

    patience: Count


class CallbackSettings(Settings):
    """What happens around an epoch."""

    monitor: str
    mode: Literal["min", "max"]
    early_stopping: EarlyStoppingSettings | None
    checkpoint_every_n_steps: Count | None


class LossSettings(Settings):
    """How the heads' losses are joined, and the weights of what is not a head."""

    balancing: Literal["fixed", "uncertainty", "upgrad"]
    forecast_weight: Annotated[float, Field(ge=0.0)]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]


class TrainSettings(Settings):
    """Everything `train.py` can be told."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    resume: CheckpointFile | None
    lr_find: bool = False  # not in older checkpoints
    baselines: bool
    run_dir: UserPath
    data: DataSettings
    features: FeatureConfig
    model: ModelSettings
    task: TaskSpec
    loss: LossSettings
    optim: OptimSettings
    trainer: TrainerSettings
    hardware: HardwareSettings
    tracking: TrackingSettings
    callbacks: CallbackSettings
    launcher: LauncherSettings = LocalSettings(kind="local", parallel=1)  # not in older checkpoints


class _WithNetwork(TrainSettings):
    model: NetworkSettings


class _WithDiscriminant(TrainSettings):
    model: DiscriminantSettings


class _WithLinear(TrainSettings):
    model: LinearSettings


OUR_MODELS: Mapping[str, type[TrainSettings]] = {
    OUR_NETWORK: _WithNetwork,
    OUR_DISCRIMINANT: _WithDiscriminant,
    OUR_LINEAR: _WithLinear,
}
"""Settings of a training of one of ours, whose keys are known without importing it."""


def validate_train(config: object) -> TrainSettings:
    """Check a composed configuration of `train.py`.

    Raises:
        SpecError: Naming every wrong key, its value and what is accepted.
    """
    model = config.get("model") if isinstance(config, dict) else None
    target = model.get("_target_") if isinstance(model, dict) else None
    kind = OUR_MODELS.get(target, TrainSettings) if isinstance(target, str) else TrainSettings
    return validate(kind, config, source="train.py")


def train_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of everything `train.py` can be told."""
    schema = TrainSettings.model_json_schema(by_alias=True)
    choices: list[dict[str, object]] = [{"$ref": "#/$defs/ModelSettings"}]
    for target, kind in OUR_MODELS.items():
        known = kind.model_fields["model"].annotation
        assert known is not None
        schema["$defs"][known.__name__] = known.model_json_schema(by_alias=True)
        # Keys of a user's own model are known to its class alone.
        choices.append(
            {
                "if": {"properties": {"_target_": {"const": target}}},
                "then": {"$ref": f"#/$defs/{known.__name__}"},
            }
        )
    schema["properties"]["model"] = {"allOf": choices}
    return {"$schema": DIALECT, **schema, "title": "TrainSettings"}


class EvaluateSettings(Settings):
    """Everything `evaluate.py` can be told."""

    ckpt: Trained
    compare: UserPath | None
    missing_sensors: bool
    run_dir: UserPath
    data: MovedData = MovedData()
    hardware: HardwareSettings


class ExportSettings(Settings):
    """Everything `export.py` can be told."""

    ckpt: Trained
    output: UserPath
    data: MovedData = MovedData()
    gate: dict[str, dict[str, float]] | None
    onnx: bool
    sign_key: UserPath | None
    registry: Literal["mlflow"] | None
    uri: str
    name: str | None
    alias: Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$")] | None
    artifacts: str


def validate_evaluate(config: object) -> EvaluateSettings:
    """Check a composed configuration of `evaluate.py`; raises as `validate_train`."""
    return validate(EvaluateSettings, config, source="evaluate.py")


def validate_export(config: object) -> ExportSettings:
    """Check a composed configuration of `export.py`; raises as `validate_train`."""
    return validate(ExportSettings, config, source="export.py")
