"""The configuration groups that say how a training runs, typed: from optimiser to tracking."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hydrascope.experiment.base import Count, Fraction, Positive, Settings, Target


def _anchored(uri: str) -> str:
    """Let the file of a database stay the same one wherever the process goes."""
    file = uri.removeprefix("sqlite:///")
    return uri if file == uri else f"sqlite:///{Path(file).absolute()}"


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
