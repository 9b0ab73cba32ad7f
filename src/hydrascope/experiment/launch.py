"""From a command line to a running job: compose, validate, and only then import what is heavy."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from hydrascope.experiment.base import Settings
from hydrascope.experiment.config_files import places, take_own
from hydrascope.experiment.importing import load
from hydrascope.experiment.job_settings import (
    TrainSettings,
    validate_evaluate,
    validate_export,
    validate_train,
)
from hydrascope.experiment.overrides import readable
from hydrascope.experiment.run_folder import register_new_folder
from hydrascope.experiment.search_path import looking_first_into
from hydrascope.experiment.start import one_line_errors
from hydrascope.experiment.sweep.search_settings import take_sweep
from hydrascope.experiment.yaml_dialect import yaml_1_2
from hydrascope.schemas.errors import SpecError

VALIDATE: Mapping[str, Callable[[object], Settings]] = {
    "train": validate_train,
    "evaluate": validate_evaluate,
    "export": validate_export,
}
"""What checks the configuration of each script."""

_TORCHRUN = "TORCHELASTIC_RUN_ID"
"""Set in the environment by torchrun."""


def launch(
    script: str,
    validate: Callable[[object], Settings],
    job: str,
    conf: Path,
    command: str | None = None,
) -> None:
    """Run a job from `sys.argv`; everything is composed first, then run.

    Args:
        script: The script's name: `conf/<script>.yaml` is its configuration.
        validate: Turns the composed configuration into settings; imports nothing heavy.
        job: Module whose `run(settings)` does the work; imported after validation.
        conf: Folder of the configuration groups; files in `--config-dir` come before its own.
        command: What was typed before the arguments, if not the script.
    """
    # Hydra prints its own errors over many lines and exits with 1; with this it raises them to us.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    said_by = command or f"{script}.py"
    with one_line_errors(f"{script}.py", said_by):
        own, arguments = take_own(sys.argv[1:])
    register_new_folder()
    sys.argv[1:] = readable(arguments)
    if _TORCHRUN in os.environ and os.environ["RANK"] != "0":
        sys.argv.append("hydra.output_subdir=null")  # the first process writes it
    trials: list[tuple[TrainSettings, list[str]]] = []
    jobs: list[Settings] = []

    @hydra.main(version_base="1.3", config_path=str(conf.resolve()), config_name=script)
    def main(config: DictConfig) -> None:
        with one_line_errors(f"{script}.py", said_by):
            plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            sweep = take_sweep(plain)
            settings = validate(plain)
            multirun = HydraConfig.get().mode == RunMode.MULTIRUN
            if isinstance(settings, TrainSettings):
                _check_sweep(settings, sweeps=multirun or sweep is not None)
                if sweep is not None and settings.model.closed_form:
                    raise SpecError(
                        f"sweep: a search compares epochs, and {settings.model.name} has none; "
                        "accepted: a grid, such as -m model.KEY=1,2, or a network"
                    )
                _check_torchrun(said_by, sweeps=multirun or sweep is not None)
            if sweep:
                load("hydrascope.experiment.sweep.search").run(settings, sweep)
            elif multirun and isinstance(settings, TrainSettings):
                trials.append((settings, list(HydraConfig.get().overrides.task)))
            else:
                jobs.append(settings)

    with one_line_errors(f"{script}.py", said_by):
        with yaml_1_2(places(conf, own)), looking_first_into(own):
            main()
        for settings in jobs:  # behind Hydra, whose YAML is no business of theirs
            load(job).run(settings)
        if trials:
            load("hydrascope.experiment.sweep.grid").run(trials)


def _check_sweep(settings: TrainSettings, *, sweeps: bool) -> None:
    """Refuse a launcher that has nothing to launch, Hydra's own, and trials that do not train."""
    if settings.lr_find and sweeps:
        raise SpecError("lr_find: true is no training; accepted in a sweep: false")
    if settings.launcher.kind != "local" and not sweeps:
        raise SpecError(
            f"launcher.kind: {settings.launcher.kind!r} starts the trials of a sweep; add -m, or "
            "leave it out"
        )
    hydras = HydraConfig.get().runtime.choices["hydra/launcher"]
    if hydras != "basic":
        raise SpecError(
            f"hydra/launcher: {hydras!r} is not accepted; expected launcher=local, joblib, ray or "
            "slurm"
        )


def _check_torchrun(said_by: str, *, sweeps: bool) -> None:
    """Refuse what processes that compose by themselves would not do as one."""
    if _TORCHRUN not in os.environ:
        return
    if sweeps:
        raise SpecError(
            f"torchrun: each of its processes would run the sweep; expected {said_by} -m …, "
            "which gives each trial processes of its own"
        )
    given = HydraConfig.get().overrides.hydra
    if not any(override.startswith("hydra.run.dir=") for override in given):
        raise SpecError(
            "hydra.run.dir: required under torchrun, whose processes do not begin within the same "
            "second; write hydra.run.dir=outputs/train/NAME"
        )
