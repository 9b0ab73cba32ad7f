"""A training that is asked for in Python: the same configuration as that of `train.py`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from pydantic import BaseModel

from hydrascope.experiment.complaints import USER_ERRORS, complaint
from hydrascope.experiment.composing import composed
from hydrascope.experiment.config_files import CONF
from hydrascope.experiment.job_settings import TrainSettings, validate_train
from hydrascope.experiment.run_folder import register_new_folder
from hydrascope.schemas.errors import SpecError

SCRIPT = "train.py"
"""Whose configuration it is, and with whose name complaints begin."""


@contextmanager
def spec_errors(source: str, script: str) -> Iterator[None]:
    """Raise what the user can fix as `SpecError`.

    Args:
        source: The function that was called; its name precedes the message.
        script: Name of the script that does the same.
    """
    try:
        yield
    except USER_ERRORS as error:
        raise SpecError(*complaint(error, script).faults, source=source) from None


def settings_of_call(
    overrides: Sequence[str], given: Mapping[str, object], own: Path | None
) -> TrainSettings:
    """Return the settings of one training; its folder is made here unless one is named.

    Args:
        overrides: As on the command line.
        given: Groups and keys by name. A mapping sets keys of a group; an object of a group's own
            class, such as `FeatureConfig`, all of its keys; anything else is an override.
        own: Folder of a user's own configuration files, which come before the package's.

    Raises:
        SpecError: Naming every wrong key, its value and what is accepted.
    """
    register_new_folder()
    words = [f"{key}={_word(value)}" for key, value in given.items() if not _is_group(value)]
    with spec_errors("fit", SCRIPT):
        config = composed("train", [*overrides, *words], CONF, own, hydra=True)
        for key, value in given.items():
            if _is_group(value):
                config = _merged(config, key, value)
        new_folder = OmegaConf.is_interpolation(config, "run_dir")
        if new_folder:  # which Hydra fills in when a script starts
            config.run_dir = "."
        settings = validate_train(_plain(config))
        _check_single(config, settings)
        if new_folder:
            settings = settings.model_copy(update={"run_dir": config.hydra.run.dir})
    return settings


def _plain(config: DictConfig) -> object:
    keys = [str(key) for key in config if key not in ("hydra", "sweep")]
    return OmegaConf.to_container(
        OmegaConf.masked_copy(config, keys), resolve=True, throw_on_missing=True
    )


def _check_single(config: DictConfig, settings: TrainSettings) -> None:
    """Refuse what trains nothing, or several times."""
    if "sweep" in config:
        raise SpecError("sweep: takes the command line, train.py -m; accepted: null")
    if settings.lr_find:
        raise SpecError("lr_find: true is no training; accepted: false")


def _is_group(value: object) -> bool:
    return isinstance(value, Mapping | BaseModel)


def _word(value: object) -> str:
    """Write a value as an override has it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merged(config: DictConfig, group: str, value: object) -> DictConfig:
    """Return the configuration with what is given of a group; unknown keys of a mapping raise."""
    with open_dict(config) if isinstance(value, BaseModel) else nullcontext():
        merged = OmegaConf.merge(config, {group: _without_objects(value)})
    assert isinstance(merged, DictConfig)
    return merged


def _without_objects(value: Any) -> Any:
    """Return nested mappings and sequences of scalars, paths as text."""
    match value:
        case Mapping():
            return {key: _without_objects(each) for key, each in value.items()}
        case list() | tuple():
            return [_without_objects(each) for each in value]
        case Path():
            return str(value)
        case BaseModel():
            return value.model_dump(mode="json", by_alias=True)
    return value
