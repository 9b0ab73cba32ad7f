"""From a path or a name in MLflow to an open bundle."""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from hydrascope.packaging.bundle import Bundle, read_bundle
from hydrascope.packaging.registry import fetch, is_registered
from hydrascope.schemas.errors import SpecError

CHECKPOINT = ".ckpt"
"""How the name of a checkpoint ends."""
RUN = "mlflow:"
"""How the name of a run begins whose best checkpoint MLflow holds."""


def open_bundle(source: str | Path, registry_uri: str) -> Bundle:
    """Open a bundle, or a checkpoint as the bundle that an export would make of it.

    Raises:
        SpecError: It is neither, it is damaged, or an extra that it needs is not installed.
    """
    name = str(source)
    if name.endswith(CHECKPOINT) or name.startswith(RUN):
        need("lightning", "train", "a checkpoint")
        from hydrascope.experiment.as_bundle import checkpoint_as_bundle

        return checkpoint_as_bundle(name if name.startswith(RUN) else str(Path(name).expanduser()))
    if not is_registered(name):
        return read_bundle(Path(name).expanduser())
    with TemporaryDirectory(prefix="hydrascope-bundle-") as folder:
        return read_bundle(fetch(name, registry_uri, Path(folder)))


def need(package: str, extra: str, what: str) -> None:
    """Refuse what cannot be done without an extra.

    Raises:
        SpecError: The package is not installed; naming the extra that brings it.
    """
    if find_spec(package) is None:
        raise SpecError(
            f"{what} needs the extra `{extra}`; write pip install 'hydrascope[{extra}]'"
        )
