"""The settings of a retraining, and those of the training that it makes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from omegaconf import OmegaConf
from pydantic import Field

from hydrascope.experiment.base import Settings, Target, UserPath
from hydrascope.experiment.config_files import CONF, options, places
from hydrascope.experiment.data_settings import DataSettings
from hydrascope.experiment.job_settings import TrainSettings, validate_train
from hydrascope.experiment.python_call import settings_of_call
from hydrascope.schemas.errors import SpecError

COMMAND = "hydrascope retrain"
_DATABASE = "hydrascope.telemetry.timescale.source.TimescaleSource"
_SETTLED = timedelta(minutes=10)
"""How old telemetry of a database is at least: what is newer may still be coming in, and a training
that sees its data change is refused."""


class RetrainSettings(Settings):
    """What `hydrascope retrain` is told besides overrides of the training."""

    model: str
    """The champion: models:/NAME@ALIAS."""
    uri: str = "sqlite:///mlruns.db"
    """Address of the MLflow registry."""
    artifacts: UserPath = "outputs/registry"
    """Folder of the registry's files if `uri` is a database."""
    margin: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02
    """The challenger is not worse if the lower end of the interval of each head's difference is
    above minus this. It is in units of the head's metric, where 1 is perfect."""
    run_dir: UserPath | None = None
    """Folder of the training, the report and the bundle; null: a new one in outputs/retrain."""
    sign_key: UserPath | None = None
    """Private key (Ed25519, PEM) to sign the challenger's bundle with."""


def challenger_settings(
    champion: TrainSettings, overrides: Sequence[str], own: Path | None, run_dir: str
) -> TrainSettings:
    """Return the settings of the challenger's training: the champion's own, and overrides.

    If an override chooses an option of a group (`experiment=…`, `model=…`), they are composed anew
    as those of `train`. A database is read up to some minutes ago, with all verdicts up to now,
    unless an override says otherwise.

    Args:
        champion: Settings of the champion's training.
        overrides: As `train` takes them.
        own: Folder of configuration files of the user's own.
        run_dir: Folder of the training.

    Raises:
        SpecError: Naming every wrong key, its value and what is accepted.
    """
    groups = options(places(CONF, own))
    words = [each.partition("=") for each in overrides]
    if wrong := [key for key, sign, _ in words if not (key and sign)]:
        raise SpecError(f"{wrong[0]}: not of the form key=value or group=option", source=COMMAND)
    if any(key in groups for key, _, _ in words):
        settings = settings_of_call(overrides, {"run_dir": run_dir}, own)
    else:
        recorded = champion.model_dump(mode="json", by_alias=True)
        merged = OmegaConf.merge(recorded, OmegaConf.from_dotlist(list(overrides)))
        content = OmegaConf.to_container(merged, resolve=True)
        assert isinstance(content, dict)
        settings = validate_train({**content, "run_dir": run_dir, "resume": None})
    given = {key for key, _, _ in words}
    return settings.model_copy(update={"data": _up_to_now(settings.data, given)})


def _up_to_now(data: DataSettings, given: set[str]) -> DataSettings:
    """Return the settings of data with the ends of telemetry and verdicts, for a database."""
    if data.source.target != _DATABASE:
        return data
    now = datetime.now(UTC)
    ends = {"until": now - _SETTLED, "verdicts_until": now}
    changed = {
        key: end.isoformat() for key, end in ends.items() if f"data.source.{key}" not in given
    }
    source = Target.model_validate(data.source.model_dump(by_alias=True) | changed)
    return data.model_copy(update={"source": source})
