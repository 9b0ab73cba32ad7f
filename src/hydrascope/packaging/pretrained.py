"""The bundle in the package: a network that learned from circuits drawn at random."""

from pathlib import Path

PRETRAINED = "pretrained"
"""Its name, unless a file or folder here has this name."""
PACKAGED = Path(__file__).parent.parent / "assets" / "pretrained"
"""Where it is."""


def located(path: Path) -> Path:
    """Return where the bundle of a name is."""
    return PACKAGED if path == Path(PRETRAINED) and not path.exists() else path
