"""Checkpoints stored in MLflow: `mlflow:RUN_ID` and `models:/NAME@ALIAS`."""

import os
import re
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

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
    limit_retries()
    try:
        client = MlflowClient(uri)
        run_id = _run_id(client, named)
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


def _run_id(client: MlflowClient, named: str) -> str:
    if run := _RUN.fullmatch(named):
        return str(client.get_run(run["run"]).info.run_id)
    model = _MODEL.fullmatch(named)
    if model is None:
        raise SpecError(
            f"ckpt: {named!r} is not accepted; expected mlflow:RUN_ID, models:/NAME@ALIAS or "
            "models:/NAME/VERSION"
        )
    if model["alias"]:
        version = client.get_model_version_by_alias(model["name"], model["alias"])
    else:
        version = client.get_model_version(model["name"], model["version"])
    return str(version.run_id)
