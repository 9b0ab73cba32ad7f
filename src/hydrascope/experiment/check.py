"""What `python -m hydrascope config` does: check a configuration without running anything."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from hydrascope.experiment.complaints import USER_ERRORS, complaint
from hydrascope.experiment.settings import OUR_MODELS, TrainSettings, validate_train
from hydrascope.experiment.sweep.settings import take_sweep
from hydrascope.schemas.errors import SpecError

SOURCE = "train.py"


def check(given: Sequence[str], conf: Path) -> TrainSettings:
    """Check what `train.py` would be told.

    Args:
        given: Overrides as `train.py` takes them; or one YAML file: of a group of `conf`, which is
            chosen then, or a whole configuration, such as `.hydra/config.yaml` of a run.
        conf: Folder of the configuration groups.

    Raises:
        SpecError: Naming every wrong key, its value and what is accepted.
    """
    try:
        plain = _plain(given, conf.resolve())
        take_sweep(plain)
        settings = validate_train(plain)
        if settings.model.target not in OUR_MODELS:
            # Only the class knows its keys; importing it takes torch.
            from hydrascope.experiment.assemble import model_kind

            model_kind(settings)
    except USER_ERRORS as error:
        raise SpecError(complaint(error, SOURCE)) from None
    return settings


def _plain(given: Sequence[str], conf: Path) -> object:
    if not (conf / "train.yaml").is_file():
        raise SpecError(f"--conf: {conf} is not accepted; expected a folder with train.yaml")
    overrides = list(given)
    if len(given) == 1 and given[0].endswith((".yaml", ".yml")) and "=" not in given[0]:
        file = Path(given[0]).resolve()
        if not file.is_file():
            raise SpecError(f"{given[0]}: no such file")
        if not file.is_relative_to(conf) or file.parent == conf:
            whole = OmegaConf.load(file)
            # What Hydra fills in when a job starts.
            OmegaConf.update(whole, "run_dir", ".")
            return OmegaConf.to_container(whole, resolve=True, throw_on_missing=True)
        option = file.relative_to(conf).with_suffix("")
        overrides = [f"{option.parent.as_posix()}={option.name}"]
    with initialize_config_dir(str(conf), version_base="1.3"):
        # Hydra knows it once a job starts.
        folder = ["sweep.folder=."] if any(o.startswith("sweep=") for o in overrides) else []
        config = compose("train", overrides=["run_dir=.", *folder, *overrides])
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
