"""MLflow and W&B, as Lightning loggers."""

from collections.abc import Iterable, Mapping
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


def finish(loggers: Iterable[Logger]) -> None:
    """Close the runs, so that the next job of a sweep starts its own."""
    for logger in loggers:
        logger.finalize("success")
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def flatten(nested: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """Join the keys of nested mappings; numbers stay, everything else becomes text."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            inner = flatten(value, separator)
            flat |= {f"{key}{separator}{name}": leaf for name, leaf in inner.items()}
        else:
            flat[key] = value if isinstance(value, int | float) else str(value)
    return flat
