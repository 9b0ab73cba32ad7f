"""MLflow and W&B, as Lightning loggers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, WandbLogger


def mlflow_logger(uri: str, experiment: str, run_dir: Path, tags: Mapping[str, str]) -> Logger:
    """Log to an MLflow database or server; artifacts of a database stay in the run's folder."""
    return MLFlowLogger(
        experiment_name=experiment,
        run_name=run_dir.name,
        tracking_uri=uri,
        tags=dict(tags),
        # Without it MLflow would put a folder `mlruns` into the working directory.
        artifact_location=None if uri.startswith("http") else (run_dir / "mlflow").as_uri(),
    )


def wandb_logger(project: str, mode: str, run_dir: Path, tags: Mapping[str, str]) -> Logger:
    """Log to W&B, or offline into the run's folder."""
    return WandbLogger(
        project=project,
        name=run_dir.name,
        save_dir=run_dir,
        offline=mode == "offline",
        tags=[f"{key}={value}" for key, value in tags.items()],
    )


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str | float | int | bool]:
    """Flatten nested settings to dotted keys; lists become text."""
    flat: dict[str, str | float | int | bool] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, int | float) else str(value)
    return flat
