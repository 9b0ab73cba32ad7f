"""From a path to what answers."""

from importlib.util import find_spec
from pathlib import Path

from hydrascope.notebook.frame_diagnoser import FrameDiagnoser
from hydrascope.schemas.errors import SpecError

CHECKPOINT = ".ckpt"
"""How the name of a checkpoint ends; anything else is a bundle."""


def load(path: str | Path) -> FrameDiagnoser:
    """Open a bundle or a checkpoint.

    Args:
        path: A bundle's folder or archive, or a checkpoint, which takes the data that it was
            trained on, where they lay then.

    Raises:
        SpecError: It is neither, it is damaged, or an extra that it needs is not installed.
    """
    file = Path(path).expanduser()
    if file.suffix == CHECKPOINT:
        _need(("lightning", "hydra"), "train", "a checkpoint")
        from hydrascope.experiment.as_bundle import checkpoint_as_bundle

        return FrameDiagnoser(checkpoint_as_bundle(str(file)))
    _need(("cryptography",), "serve", "a bundle")
    from hydrascope.packaging.bundle import read_bundle

    return FrameDiagnoser(read_bundle(file))


def _need(packages: tuple[str, ...], extra: str, what: str) -> None:
    if any(find_spec(package) is None for package in packages):
        raise SpecError(
            f"path: {what} needs the extra `{extra}`; write pip install 'hydrascope[{extra}]'"
        )
