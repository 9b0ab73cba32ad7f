"""Checkpoints stored in MLflow: `mlflow:RUN_ID` and `models:/NAME@ALIAS`."""

import os
import re
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from hydrascope.schemas.database_file import is_missing
from hydrascope.schemas.errors import SpecError
from hydrascope.tracking.delivery import limit_retries

BEST = "checkpoints/best.ckpt"
"""The path of the best checkpoint among a run's files."""
DATABASE = "sqlite:///mlruns.db"
"""The default database, as in conf/tracking; MLFLOW_TRACKING_URI overrides it."""

_RUN = re.compile(r"mlflow:(?P<run>[\w-]+)")
_MODEL = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[\w-]+)|/(?P<version>\d+))")


def fetch_checkpoint(named: str, folder: Path) -> Path:
    """Download the best checkpoint of a run, or of a registered model's run, into `folder`.

    Raises:
        SpecError: The name is malformed, MLflow holds nothing of that name, or it is away.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", DATABASE)
    run, model = _RUN.fullmatch(named), _MODEL.fullmatch(named)
    if run is None and model is None:
        raise SpecError(
            f"ckpt: {named!r} is not accepted; expected mlflow:RUN_ID, models:/NAME@ALIAS or "
            "models:/NAME/VERSION"
        )
    if is_missing(uri):
        raise SpecError(
            f"ckpt: {named!r} is not in {uri!r} (there is no such file, seen from {Path.cwd()}); "
            "MLFLOW_TRACKING_URI names another database or server"
        )
    limit_retries()
    try:
        client = MlflowClient(uri)
        run_id = _run_id(client, run, model)
        stored = {file.path for file in client.list_artifacts(run_id, Path(BEST).parent.as_posix())}
        if BEST not in stored:
            raise SpecError(
                f"ckpt: {named!r}: run {run_id} in {uri!r} holds no {BEST}; expected a training "
                "that has ended, or a model registered by export.py"
            )
        return Path(client.download_artifacts(run_id, BEST, str(folder)))
    except MlflowException as error:
        missing = error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
        reason = "is not in" if missing else "cannot be asked for at"
        raise SpecError(
            f"ckpt: {named!r} {reason} {uri!r} ({' '.join(str(error).split())[:200]}); "
            "MLFLOW_TRACKING_URI names another database or server"
        ) from None
    except OSError as error:
        raise SpecError(f"ckpt: {named!r}: {uri!r} does not hand it out ({error})") from None


def _run_id(client: MlflowClient, run: re.Match[str] | None, model: re.Match[str] | None) -> str:
    """Return the id of the run that one of the two matches names."""
    if run is not None:
        return str(client.get_run(run["run"]).info.run_id)
    assert model is not None
    if model["alias"]:
        version = client.get_model_version_by_alias(model["name"], model["alias"])
    else:
        version = client.get_model_version(model["name"], model["version"])
    return str(version.run_id)
