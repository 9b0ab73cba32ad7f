"""MLflow and W&B, as Lightning loggers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, WandbLogger

PARENT = "mlflow.parentRunId"
"""Tag by which MLflow lists a run below another."""


def artifact_location(uri: str, folder: Path) -> str | None:
    """Return where artifacts go: a server knows; those of a database stay in a run's folder.

    Without it MLflow would put a folder `mlruns` into the working directory.
    """
    return None if uri.startswith("http") else (folder / "mlflow").as_uri()


def mlflow_logger(
    uri: str, experiment: str, run_dir: Path, tags: Mapping[str, str], parent: str | None = None
) -> Logger:
    """Log to an MLflow database or server, below the run whose id is `parent`, if there is one."""
    return MLFlowLogger(
        experiment_name=experiment,
        run_name=run_dir.name,
        tracking_uri=uri,
        tags={**tags, **({PARENT: parent} if parent else {})},
        artifact_location=artifact_location(uri, run_dir),
    )


def wandb_logger(
    project: str, mode: str, run_dir: Path, tags: Mapping[str, str], group: str | None = None
) -> Logger:
    """Log to W&B, or offline into the run's folder; runs of one `group` are shown together."""
    return WandbLogger(
        project=project,
        name=run_dir.name,
        save_dir=run_dir,
        offline=mode == "offline",
        group=group,
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
