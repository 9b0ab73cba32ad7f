"""The settings of the groups that control a training: optimiser, trainer, hardware, tracking."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hydrascope.experiment.base import Count, Fraction, Positive, Settings, Target


def _anchored(uri: str) -> str:
    """Make a database's path absolute, so that it does not depend on the working directory."""
    file = uri.removeprefix("sqlite:///")
    return uri if file == uri else f"sqlite:///{Path(file).absolute()}"


class ScheduleSettings(Settings):
    """A linear warm-up, then a cosine decay to `final_fraction` of the learning rate."""

    warmup_fraction: Fraction
    final_fraction: Fraction


class OptimSettings(Target):
    """The optimiser; all other keys go to its constructor."""

    lr: Positive
    weight_decay: Annotated[float, Field(ge=0.0)]
    ema_decay: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None  # not in older checkpoints
    schedule: ScheduleSettings


class TrainerSettings(Settings):
    """The length of a training, its safeguards, and how several devices share it."""

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
    """The hardware that a job runs on."""

    accelerator: Literal["cpu", "gpu"]
    devices: Count
    precision: Literal["32-true", "bf16-mixed", "64-true"]
    float8: Literal["native", "emulated"] | None
    compile: bool
    checkpointing: bool
    threads: Count | None


class MLflowSettings(Settings):
    """MLflow: the URI of a database or a server."""

    uri: Annotated[str, AfterValidator(_anchored)]
    experiment: str
    parent: str | None = None  # not in older checkpoints


class WandbSettings(Settings):
    """Weights & Biases; `offline` writes to the run's folder only."""

    project: str
    mode: Literal["online", "offline"]
    group: str | None = None  # not in older checkpoints


class TrackingSettings(Settings):
    """Where metrics go, in addition to the CSV and JSON files in the run's folder."""

    mlflow: MLflowSettings | None
    wandb: WandbSettings | None
    system_metrics_s: Positive | None = None  # not in older checkpoints


class EarlyStoppingSettings(Settings):
    """Stop when the monitored value has not improved for `patience` epochs."""

    patience: Count


class CallbackSettings(Settings):
    """Checkpoints and early stopping."""

    monitor: str
    mode: Literal["min", "max"]
    early_stopping: EarlyStoppingSettings | None
    checkpoint_every_n_steps: Count | None


class LossSettings(Settings):
    """How the heads' losses are combined, and the weights of the other losses."""

    balancing: Literal["fixed", "uncertainty", "upgrad"]
    forecast_weight: Annotated[float, Field(ge=0.0)]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
