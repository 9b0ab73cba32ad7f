"""`python -m hydrascope bundle verify|show`: check a bundle, or print its model card."""

import json
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from hydrascope.packaging import parity
from hydrascope.packaging.bundle import Bundle, golden_difference, read_bundle
from hydrascope.packaging.card import model_card
from hydrascope.packaging.files import read_manifest
from hydrascope.schemas.errors import SpecError


def verify(path: Path, key: Path | None) -> Bundle:
    """Check every file, the signature if a key is given, and the golden answers on this computer.

    Raises:
        SpecError: Something differs from the export.
    """
    bundle = read_bundle(path, key)
    difference = golden_difference(bundle)
    if not difference <= parity.LIMIT:
        raise SpecError(
            f"on this computer its golden answers differ by {difference:.2g}; "
            f"accepted: at most {parity.LIMIT:g}",
            path="bundle",
        )
    files = len(bundle.manifest.files)
    signed = "signature valid" if key is not None else "signature not asked for"
    Console().print(
        f"{path}: version {bundle.version}, {files} files unchanged, {signed}, golden answers "
        f"differ by {difference:.1e}",
        soft_wrap=True,
    )
    return bundle


def show(path: Path, *, as_json: bool) -> None:
    """Print the model card, or the manifest as one JSON object."""
    manifest = read_manifest(path)
    if as_json:
        print(json.dumps(manifest.model_dump(mode="json")))
    else:
        Console().print(Markdown(model_card(manifest)))
