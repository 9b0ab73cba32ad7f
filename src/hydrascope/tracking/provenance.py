"""The provenance of a run: its configuration, code and packages."""

import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from yaml import safe_dump

from hydrascope.schemas.whole_file import write_whole

COMMIT = "mlflow.source.git.commit"
"""The tag in which MLflow shows the commit."""


def commit() -> str | None:
    """Return the commit of the running code, or None outside a repository."""
    described = _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    return described.strip() if described else None


def write_provenance(folder: Path, config: Mapping[str, Any]) -> list[Path]:
    """Write a run's configuration, the installed packages and the uncommitted changes.

    Returns:
        The files: config.yaml, resolved; environment.txt, a line `name==version` per package; and
        uncommitted.diff, if the code differs from its commit.
    """
    texts = {
        "config.yaml": safe_dump(dict(config), sort_keys=False),
        "environment.txt": "\n".join(sorted(_packages(), key=str.lower)) + "\n",
        "uncommitted.diff": _git("diff", "HEAD", "--binary", "--no-ext-diff", "--", ":/"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / name: text for name, text in texts.items() if text}
    for file, text in files.items():
        write_whole(file, text)
    return list(files)


@cache
def _packages() -> frozenset[str]:
    """Return the installed packages, as `name==version`; they stay while the process runs."""
    # A package's `metadata` is parsed anew whenever it, its name or its version is asked for.
    described = [each.metadata for each in distributions()]
    return frozenset(f"{each['Name']}=={each['Version']}" for each in described if "Name" in each)


def _git(*arguments: str) -> str | None:
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.decode("utf-8", "replace")
