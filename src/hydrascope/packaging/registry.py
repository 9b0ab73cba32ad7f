"""Bundles in the MLflow Model Registry: put in by `export.py`, fetched by `serve.py`."""

import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.errors import SpecError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARTIFACT = "bundle"
CHECKPOINTS = "checkpoints"
"""Folder of a run's files in which `hydrascope.tracking` looks for best.ckpt."""
_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[\w-]+)|/(?P<version>\d+))")


def is_registered(bundle: str) -> bool:
    """Whether `bundle` names a model of a registry and no path."""
    return bundle.startswith("models:/")


def register(
    path: Path,
    manifest: Manifest,
    checkpoint: Path,
    uri: str,
    name: str,
    alias: str | None,
    artifacts: Path,
) -> int:
    """Store the bundle at `path` as a new version of model `name`.

    Args:
        path: Folder or archive of the bundle.
        manifest: What it says of itself; its test metrics go to the run that holds it.
        checkpoint: What it was made of, so that evaluate.py finds it by the model's name.
        uri: Database or server of MLflow.
        name: Registered model; made if there is none.
        alias: Points at the new version from now on, such as `champion`.
        artifacts: Folder for the files where `uri` is a database.

    Returns:
        The version.
    """
    client = _client(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        place = None if uri.startswith("http") else (artifacts / name).absolute().as_uri()
        experiment_id = client.create_experiment(name, artifact_location=place)
    else:
        experiment_id = experiment.experiment_id
    run = client.create_run(experiment_id, run_name=path.stem, tags={"task": manifest.task.name})
    run_id = run.info.run_id
    for head, metrics in manifest.metrics.heads.items():
        for metric, value in metrics.items():
            client.log_metric(run_id, f"test/{head}/{metric}", value)
    if path.is_dir():
        client.log_artifacts(run_id, str(path), ARTIFACT)
    else:
        client.log_artifact(run_id, str(path), ARTIFACT)
    with TemporaryDirectory(prefix="hydrascope-checkpoint-") as folder:
        client.log_artifact(
            run_id, shutil.copy(checkpoint, Path(folder) / "best.ckpt"), CHECKPOINTS
        )
    client.set_terminated(run_id)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    source = f"{run.info.artifact_uri}/{ARTIFACT}"
    version = client.create_model_version(name, source, run_id=run_id).version
    if alias is not None:
        client.set_registered_model_alias(name, alias, version)
    return int(version)


def fetch(bundle: str, uri: str, folder: Path) -> Path:
    """Bring a registered bundle (`models:/NAME@ALIAS` or `models:/NAME/VERSION`) into `folder`.

    Raises:
        SpecError: Not such a name, or the registry has no such model.
    """
    named = _MODEL_URI.fullmatch(bundle)
    if named is None:
        raise SpecError(
            f"{bundle!r} is not accepted; expected models:/NAME@ALIAS or models:/NAME/N",
            path="bundle",
        )
    client = _client(uri)
    from mlflow.exceptions import MlflowException

    try:
        if named["alias"]:
            version = client.get_model_version_by_alias(named["name"], named["alias"])
        else:
            version = client.get_model_version(named["name"], named["version"])
        client.download_artifacts(version.run_id, ARTIFACT, str(folder))
    except MlflowException as error:
        raise SpecError(
            f"{bundle!r} is not in the registry {uri!r} ({error})", path="bundle"
        ) from None
    found = folder / ARTIFACT
    packed = list(found.glob("*.zip"))
    return packed[0] if packed else found


def _client(uri: str) -> "MlflowClient":
    try:
        from mlflow import MlflowClient
    except ModuleNotFoundError:
        raise SpecError(
            "MLflow is not installed; pip install 'mlflow>=3.7,<4', or name a path", path="registry"
        ) from None
    return MlflowClient(tracking_uri=uri, registry_uri=uri)
