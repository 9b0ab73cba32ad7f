"""From a command line to a running job: compose, validate, and only then import heavy modules."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from hydrascope.experiment.base import Settings
from hydrascope.experiment.config_files import options, places, take_own
from hydrascope.experiment.importing import load
from hydrascope.experiment.job_settings import (
    ExportSettings,
    TrainSettings,
    validate_evaluate,
    validate_export,
    validate_train,
)
from hydrascope.experiment.overrides import readable
from hydrascope.experiment.run_folder import claim, register_new_folder, remove_unused
from hydrascope.experiment.search_path import looking_first_into
from hydrascope.experiment.start import one_line_errors
from hydrascope.experiment.sweep.search_settings import take_sweep
from hydrascope.experiment.yaml_dialect import yaml_1_2
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import write_whole

VALIDATE: Mapping[str, Callable[[object], Settings]] = {
    "train": validate_train,
    "evaluate": validate_evaluate,
    "export": validate_export,
}
"""Script → the function that checks its configuration."""

_TORCHRUN = "TORCHELASTIC_RUN_ID"
"""The environment variable that torchrun sets."""


class _Composed(NamedTuple):
    """A run that has been composed and checked."""

    settings: Settings
    trial: tuple[TrainSettings, list[str]] | None
    """The same with its overrides, if it is one of the trainings of `-m`."""
    folder: Path
    """Hydra's folder of the run."""
    record: Mapping[str, str]
    """File name → what `.hydra` in this folder says about the composition."""

    @classmethod
    def of(cls, settings: Settings, config: DictConfig) -> Self:
        """Return the run that Hydra has just composed."""
        own = HydraConfig.get()
        record = {"config": config, "hydra": {"hydra": own}, "overrides": own.overrides.task}
        return cls(
            settings,
            (settings, list(own.overrides.task))
            if own.mode == RunMode.MULTIRUN and isinstance(settings, TrainSettings)
            else None,
            Path(own.runtime.output_dir),
            {f"{name}.yaml": OmegaConf.to_yaml(content) for name, content in record.items()},
        )


def launch(
    script: str,
    validate: Callable[[object], Settings],
    job: str,
    conf: Path,
    command: str | None = None,
) -> None:
    """Run a job from `sys.argv`; all its runs are composed before the first one starts.

    Args:
        script: Name of the script; `conf/<script>.yaml` is its configuration.
        validate: Turns the composed configuration into settings; imports nothing heavy.
        job: Module whose `run(settings)` does the work; imported after validation.
        conf: Folder of the configuration groups; files in `--config-dir` override its files.
        command: The command as typed, without its arguments, if it is not the script.
    """
    # By default Hydra prints its errors over many lines and exits with 1; now it raises them.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    prefix = command or f"{script}.py"
    with one_line_errors(f"{script}.py", prefix):
        own, arguments = take_own(sys.argv[1:])
        sys.argv[1:] = readable(arguments, options(places(conf, own)))
    register_new_folder()
    composed: list[_Composed] = []

    @hydra.main(version_base="1.3", config_path=str(conf.resolve()), config_name=script)
    def main(config: DictConfig) -> None:
        with one_line_errors(f"{script}.py", prefix):
            plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            sweep = take_sweep(plain)
            settings = validate(plain)
            multirun = HydraConfig.get().mode == RunMode.MULTIRUN
            if isinstance(settings, TrainSettings):
                _check_sweep(settings, sweeps=multirun or sweep is not None)
                if sweep is not None:
                    _check_searchable(settings)
                _check_torchrun(prefix, sweeps=multirun or sweep is not None)
            if sweep:
                load("hydrascope.experiment.sweep.search").run(settings, sweep)
                return
            composed.append(_Composed.of(settings, config))

    try:
        with one_line_errors(f"{script}.py", prefix):
            with yaml_1_2(places(conf, own)), looking_first_into(own):
                main()
            # After Hydra, so that its YAML dialect does not affect them.
            _begin(composed)
            if trials := [run.trial for run in composed if run.trial]:
                load("hydrascope.experiment.sweep.grid").run(trials)
            else:
                for run in composed:
                    load(job).run(run.settings)
    finally:
        remove_unused()


def _begin(runs: Sequence[_Composed]) -> None:
    """Claim the folders of all runs, then record in them how the runs were composed.

    Hydra itself would write these records before the settings are checked, and not as whole files.

    Raises:
        SpecError: A folder is that of another run.
    """
    if _TORCHRUN in os.environ and os.environ["RANK"] != "0":
        return  # the first process does it
    trainings = [run.settings for run in runs if isinstance(run.settings, TrainSettings)]
    for number, settings in enumerate(trainings):
        if settings.run_dir in [other.run_dir for other in trainings[:number]]:
            raise SpecError(
                f"run_dir: {settings.run_dir!r} would be the folder of several trials; leave it "
                "out, and name the folder of all trials with hydra.sweep.dir=…"
            )
        if not settings.lr_find:
            claim(settings.run_dir, settings.resume)
    for run in runs:
        if not isinstance(run.settings, ExportSettings):
            folder = run.folder / ".hydra"
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in run.record.items():
                write_whole(folder / name, text)


def _check_searchable(settings: TrainSettings) -> None:
    """Refuse a search of a model without epochs, or with one folder for all its trials."""
    if settings.model.closed_form:
        raise SpecError(
            f"sweep: a search compares epochs, and {settings.model.name} has none; "
            "accepted: a grid, such as -m model.KEY=1,2, or a network"
        )
    if settings.run_dir != HydraConfig.get().runtime.output_dir:
        raise SpecError(
            f"run_dir: {settings.run_dir!r} is the folder of one training; leave it out, and name "
            "the folder of the search with hydra.sweep.dir=…"
        )


def _check_sweep(settings: TrainSettings, *, sweeps: bool) -> None:
    """Refuse a launcher without a sweep, Hydra's own launchers, and `lr_find` in a sweep."""
    if settings.lr_find and sweeps:
        raise SpecError("lr_find: true does not train; accepted in a sweep: false")
    if settings.launcher.kind != "local" and not sweeps:
        raise SpecError(
            f"launcher.kind: {settings.launcher.kind!r} starts the trials of a sweep; add -m, or "
            "leave it out"
        )
    hydra_launcher = HydraConfig.get().runtime.choices["hydra/launcher"]
    if hydra_launcher != "basic":
        raise SpecError(
            f"hydra/launcher: {hydra_launcher!r} is not accepted; expected launcher=local, joblib, "
            "ray or slurm"
        )


def _check_torchrun(command: str, *, sweeps: bool) -> None:
    """Refuse jobs on which the processes of torchrun, which compose separately, would disagree."""
    if _TORCHRUN not in os.environ:
        return
    if sweeps:
        raise SpecError(
            f"torchrun: each of its processes would run the sweep; expected {command} -m …, "
            "which gives each trial processes of its own"
        )
    given = HydraConfig.get().overrides.hydra
    if not any(override.startswith("hydra.run.dir=") for override in given):
        raise SpecError(
            "hydra.run.dir: required under torchrun, whose processes do not begin within the same "
            "second; write hydra.run.dir=outputs/train/NAME"
        )
