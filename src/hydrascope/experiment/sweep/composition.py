"""Composing a trial's settings, and writing the best ones as an experiment file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from yaml import safe_dump

from hydrascope.experiment.job_settings import TrainSettings, validate_train
from hydrascope.schemas.whole_file import write_whole

_OF_THE_SWEEP = ("sweep=", "sweep.", "launcher=", "launcher.", "hydra")
_NOT_CHOSEN = ("hydra", "experiment", "sweep", "launcher")


def trial_settings(chosen: Sequence[str], run_dir: Path) -> TrainSettings:
    """Compose the sweep's overrides with those of a trial, as if a user had typed them all.

    Args:
        chosen: The trial's overrides.
        run_dir: The trial's folder.

    Raises:
        SpecError: The values are invalid together.
    """
    plain = _plain([*HydraConfig.get().overrides.task, *chosen])
    plain.pop("sweep", None)
    plain["run_dir"] = str(run_dir)
    return validate_train(plain)


def below(settings: TrainSettings, parent: str | None, group: str) -> TrainSettings:
    """Return settings whose run is listed below the sweep's run.

    Args:
        settings: The trial's settings.
        parent: Id of the sweep's run in MLflow, if there is one.
        group: Name of the group in W&B.
    """
    mlflow, wandb = settings.tracking.mlflow, settings.tracking.wandb
    trackers = {
        "mlflow": mlflow and mlflow.model_copy(update={"parent": parent}),
        "wandb": wandb and wandb.model_copy(update={"group": group}),
    }
    tracking = settings.tracking.model_copy(update=trackers)
    return settings.model_copy(update={"tracking": tracking})


def write_experiment(chosen: Sequence[str], about: str, file: Path) -> None:
    """Write a trial as an experiment: its overrides and the command line's, without the sweep's."""
    typed = [o for o in HydraConfig.get().overrides.task if not o.startswith(_OF_THE_SWEEP)]
    overrides = [*typed, *chosen]
    choices = compose("train", overrides, return_hydra_config=True).hydra.runtime.choices
    options = {
        group: option
        for group, option in choices.items()
        if option and not group.startswith(_NOT_CHOSEN)
    }
    options_alone = _plain([f"{group}={option}" for group, option in options.items()])
    content = {
        "defaults": [{f"override /{group}": option} for group, option in options.items()],
        **_difference(_plain(overrides), options_alone),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    text = safe_dump(content, sort_keys=False, allow_unicode=True)
    write_whole(file, f"# @package _global_\n# {about}\n{text}")


def _plain(overrides: Sequence[str]) -> dict[str, Any]:
    plain = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def _difference(wanted: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `wanted` that are missing or different in `base`."""
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        current = base.get(key)
        if isinstance(value, Mapping) and isinstance(current, Mapping):
            if inner := _difference(value, current):
                found[key] = inner
        elif key not in base or value != current:
            found[key] = value
    return found
