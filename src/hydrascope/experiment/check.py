"""`python -m hydrascope config validate`: check a configuration without running anything."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from hydrascope.experiment.complaints import USER_ERRORS, complaint
from hydrascope.experiment.composing import composed
from hydrascope.experiment.config_files import CONF, places
from hydrascope.experiment.job_settings import OUR_MODELS, TrainSettings, validate_train
from hydrascope.experiment.sweep.search_settings import take_sweep
from hydrascope.experiment.yaml_dialect import yaml_1_2
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.yaml_file import load_yaml

SOURCE = "train.py"


def check(given: Sequence[str], own: Path | None = None) -> TrainSettings:
    """Check a configuration of `train.py`.

    Args:
        given: Overrides as for `train.py`, or one YAML file. The file is either an option of a
            group, or a complete configuration such as a run's `.hydra/config.yaml`.
        own: Folder of the user's own configuration files, which override the package's.

    Raises:
        SpecError: Names every wrong key, its value and what is accepted.
    """
    try:
        with yaml_1_2(places(CONF, own)):
            plain = _plain(given, own)
        take_sweep(plain)
        settings = validate_train(plain)
        if settings.model.target not in OUR_MODELS:
            # Only the class knows its keys; importing it imports torch.
            from hydrascope.experiment.assemble import model_kind

            model_kind(settings)
        if any(head.metrics for head in settings.task.heads):
            from hydrascope.evaluation.own_metrics import check_own_metrics

            check_own_metrics(settings.task.heads)
    except USER_ERRORS as error:
        raise complaint(error, SOURCE) from None
    return settings


def _plain(given: Sequence[str], own: Path | None) -> object:
    overrides = list(given)
    if len(given) == 1 and given[0].endswith((".yaml", ".yml")) and "=" not in given[0]:
        file = Path(given[0]).resolve()
        if not file.is_file():
            raise SpecError(f"{given[0]}: no such file")
        group = _group(file, own)
        if group is None:
            content = load_yaml(file)
            if not isinstance(content, dict):
                raise SpecError(f"{given[0]}: expected the keys of a configuration")
            whole = OmegaConf.create(content)
            # Hydra fills this in when a job starts.
            OmegaConf.update(whole, "run_dir", ".")
            return OmegaConf.to_container(whole, resolve=True, throw_on_missing=True)
        overrides = [f"{group}={file.stem}"]
    # Hydra fills these in when a job starts.
    folder = ["sweep.folder=."] if any(o.startswith("sweep=") for o in overrides) else []
    config = composed("train", ["run_dir=.", *folder, *overrides], CONF, own)
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


def _group(file: Path, own: Path | None) -> str | None:
    """Return the group that a file is an option of; None if it is of none."""
    for folder in places(CONF, own):
        if file.is_relative_to(folder) and file.parent != folder:
            return file.parent.relative_to(folder).as_posix()
    return None
