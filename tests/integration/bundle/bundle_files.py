"""Files of bundles, as the tests change them."""

import json
from pathlib import Path

from hydrascope.packaging.manifest import sha256


def rehash(folder: Path, **changes: object) -> None:
    """Make the manifest agree with changed files, as someone who hides a change would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {name: sha256(folder / name) for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": files} | changes))
