"""MLflow and W&B as Lightning loggers; a training goes on when either fails."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger

from hydrascope.schemas.errors import SpecError
from hydrascope.tracking.destination import PARENT, Destination
from hydrascope.tracking.mlflow_run import MLflowRun, now_ms

_WANDB_PATIENCE_S = "30"
"""The seconds that W&B's server may take to answer when a run begins; W&B's default is 90."""


def artifact_location(uri: str) -> str | None:
    """Return the folder for files beside a database; None for a server, which decides itself.

    Without it MLflow would create a folder `mlruns` in the working directory.
    """
    if uri.startswith("http"):
        return None
    file = Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else Path("mlruns")
    return file.absolute().with_name(f"{file.stem}_files").as_uri()


def mlflow_logger(
    uri: str,
    experiment: str,
    run_dir: Path,
    tags: Mapping[str, str],
    say: Callable[[str], object],
    parent: str | None = None,
) -> MLflowRun:
    """Log to an MLflow database or server, below the run with the id `parent` if one is given."""
    all_tags = {**tags, **({PARENT: parent} if parent else {})}
    location = artifact_location(uri)
    return MLflowRun(
        Destination(uri, experiment, run_dir.name, all_tags, location, now_ms()), run_dir, say
    )


def wandb_logger(
    project: str,
    mode: str,
    run_dir: Path,
    tags: Mapping[str, str],
    say: Callable[[str], object],
    group: str | None = None,
    system_metrics_s: float | None = None,
) -> WandbLogger:
    """Log to W&B, or offline into the run's folder; W&B shows runs of one `group` together.

    W&B's own process sends the entries of a run and keeps those that it cannot send. The run is
    written offline only if the server is away from the start. W&B reads the computer's system
    metrics every `system_metrics_s` seconds, or never if None.

    Raises:
        SpecError: W&B's server rejects the API key, or needs one.
    """
    from wandb import Settings  # takes a second
    from wandb.errors import AuthenticationError, CommError, UsageError

    os.environ.setdefault("WANDB_INIT_TIMEOUT", _WANDB_PATIENCE_S)
    settings = Settings(x_disable_stats=system_metrics_s is None)
    if system_metrics_s is not None:
        settings.x_stats_sampling_interval = system_metrics_s

    def opened(mode: str) -> WandbLogger:
        logger = WandbLogger(
            project=project,
            name=run_dir.name,
            save_dir=run_dir,
            mode=mode,
            group=group,
            tags=[f"{key}={value}" for key, value in tags.items()],
            settings=settings,
        )
        _ = logger.experiment  # now, not at the first step
        return logger

    if mode == "offline":
        return opened("offline")
    try:
        return opened("online")
    except (AuthenticationError, UsageError) as error:
        reason = " ".join(str(error).split())
        raise SpecError(f"tracking.wandb.mode: 'online' is not possible: {reason}") from None
    except CommError as error:
        say(
            f"Tracking: W&B is away ({' '.join(str(error).split())[:160]}); the run is written "
            f"offline, to be sent later: wandb sync {run_dir / 'wandb'}/offline-run-*"
        )
        return opened("offline")


def store_files(loggers: Iterable[Logger], files: Sequence[Path], folder: str | None) -> None:
    """Store files with each run, in its folder `folder`."""
    for logger in loggers:
        for file in files:
            if isinstance(logger, MLflowRun):
                logger.log_file(file, folder)
            elif isinstance(logger, WandbLogger):
                base = file.parents[1] if folder == file.parent.name else file.parent
                logger.experiment.save(str(file), base_path=str(base), policy="now")


@contextmanager
def runs_ended_with(loggers: Sequence[Logger]) -> Iterator[None]:
    """End the runs as succeeded or failed, as the body does; each job of a sweep has its own."""
    try:
        yield
    except BaseException:
        for logger in loggers:
            logger.finalize("failed")
            if isinstance(logger, WandbLogger):
                logger.experiment.finish(exit_code=1)
        raise
    for logger in loggers:
        logger.finalize("success")
        if isinstance(logger, MLflowRun):
            logger.end("FINISHED")
        elif isinstance(logger, WandbLogger):
            logger.experiment.finish()


def flatten(nested: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """Join the keys of nested mappings; keep numbers and turn all other values into text."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            inner = flatten(value, separator)
            flat |= {f"{key}{separator}{name}": leaf for name, leaf in inner.items()}
        else:
            flat[key] = value if isinstance(value, int | float) else str(value)
    return flat
