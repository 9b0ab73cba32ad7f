"""A trial's settings, and the best ones as an experiment file."""

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
    """Compose what the sweep was told with what a trial sets, as if a user had typed it.

    Args:
        chosen: Overrides of the trial.
        run_dir: Its folder.

    Raises:
        SpecError: The values do not go together.
    """
    plain = _plain([*HydraConfig.get().overrides.task, *chosen])
    plain.pop("sweep", None)
    plain["run_dir"] = str(run_dir)
    return validate_train(plain)


def below(settings: TrainSettings, parent: str | None, group: str) -> TrainSettings:
    """Return settings whose run is listed below that of a sweep.

    Args:
        settings: Of a trial.
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
    """Write what the sweep was told, without the sweep, and what a trial sets as an experiment."""
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
    """Return what has to be set in `base` to make it `wanted`, which has all its keys."""
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        there = base.get(key)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            if inner := _difference(value, there):
                found[key] = inner
        elif key not in base or value != there:
            found[key] = value
    return found
