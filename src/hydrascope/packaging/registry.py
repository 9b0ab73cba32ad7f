"""Bundles in the MLflow Model Registry: stored by `export.py`, fetched by `serve.py`."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.database_file import is_missing
from hydrascope.schemas.errors import SpecError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

REGISTRY_URI = "sqlite:///mlruns.db"
"""Of the registry where none is named: a file in the folder in which a program runs."""
ARTIFACT = "bundle"
CHECKPOINTS = "checkpoints"
"""The folder among a run's files in which `hydrascope.tracking` looks for best.ckpt."""
_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[\w-]+)|/(?P<version>\d+))")


class RegisteredName(NamedTuple):
    """A name such as models:/zema@champion or models:/zema/3."""

    name: str
    alias: str | None
    version: int | None

    @classmethod
    def read(cls, text: str, path: str = "bundle") -> "RegisteredName":
        """Read a name; `path` is the key that has it.

        Raises:
            SpecError: It is malformed.
        """
        found = _MODEL_URI.fullmatch(text)
        if found is None:
            raise SpecError(
                f"{text!r} is not accepted; expected models:/NAME@ALIAS or models:/NAME/N",
                path=path,
            )
        number = found["version"]
        return cls(found["name"], found["alias"], None if number is None else int(number))

    def __str__(self) -> str:
        return f"models:/{self.name}" + (f"@{self.alias}" if self.alias else f"/{self.version}")


def is_registered(bundle: str) -> bool:
    """Return whether `bundle` names a registered model, not a path."""
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
        manifest: The bundle's manifest; its test metrics are logged to the run that holds it.
        checkpoint: The bundle's checkpoint, stored so that evaluate.py finds it by model name.
        uri: Database or server of MLflow.
        name: The registered model; created if necessary.
        alias: An alias such as `champion`, which then points at the new version.
        artifacts: Folder for the files if `uri` is a database.

    Returns:
        The version's number.
    """
    client = _client(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = None if uri.startswith("http") else (artifacts / name).absolute().as_uri()
        experiment_id = client.create_experiment(name, artifact_location=location)
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
    """Download a registered bundle (`models:/NAME@ALIAS` or `models:/NAME/VERSION`) into `folder`.

    Raises:
        SpecError: The name is malformed, or the registry has no such model.
    """
    with asked(bundle, uri) as (client, version):
        client.download_artifacts(version.run_id, ARTIFACT, str(folder))
    found = folder / ARTIFACT
    packed = list(found.glob("*.zip"))
    return packed[0] if packed else found


def fetch_checkpoint(bundle: str, uri: str, folder: Path) -> Path:
    """Download the checkpoint of a registered bundle into `folder`.

    Raises:
        SpecError: As `fetch`.
    """
    with asked(bundle, uri) as (client, version):
        path = client.download_artifacts(version.run_id, f"{CHECKPOINTS}/best.ckpt", str(folder))
    return Path(path)


def version_of(bundle: str, uri: str) -> int:
    """Return the version that a name stands for now.

    Raises:
        SpecError: As `fetch`.
    """
    with asked(bundle, uri) as (_, version):
        return int(version.version)


@contextmanager
def asked(bundle: str, uri: str) -> "Iterator[tuple[MlflowClient, ModelVersion]]":
    """Yield a client, and the version that a name stands for.

    Raises:
        SpecError: The name is malformed, the registry has no such model, or a call of the client
            fails.
    """
    named = RegisteredName.read(bundle)
    if is_missing(uri):
        raise SpecError(
            f"{bundle!r} is not in the registry {uri!r}: there is no such file, seen from "
            f"{Path.cwd()}",
            path="bundle",
        )
    client = _client(uri)
    from mlflow.exceptions import MlflowException

    try:
        if named.alias:
            version = client.get_model_version_by_alias(named.name, named.alias)
        else:
            version = client.get_model_version(named.name, str(named.version))
        yield client, version
    except MlflowException as error:
        raise SpecError(
            f"{bundle!r} is not in the registry {uri!r} ({error})", path="bundle"
        ) from None


def _client(uri: str) -> "MlflowClient":
    try:
        from mlflow import MlflowClient
    except ModuleNotFoundError:
        raise SpecError(
            "MLflow is not installed; pip install 'mlflow>=3.7,<4', or name a path", path="registry"
        ) from None
    return MlflowClient(tracking_uri=uri, registry_uri=uri)
