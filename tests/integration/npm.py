"""The packages of the page's source; tests that need them are skipped where npm cannot install."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from jobs import ROOT

SOURCE = ROOT / "page"
_NPM = shutil.which("npm")


def packages() -> Path:
    """Return the folder of the packages, as the lock file has them; skip the test without."""
    if _NPM is None:
        pytest.skip("no npm")
    lock, folder = SOURCE / "package-lock.json", SOURCE / "node_modules"
    installed = folder / ".package-lock.json"
    with FileLock(Path(tempfile.gettempdir()) / "hydrascope-page-npm.lock"):
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            answer = npm("ci", "--no-audit", "--no-fund")
            if answer.returncode:
                pytest.skip(f"npm cannot install: {answer.stderr.strip().splitlines()[-1]}")
    return folder


def npm(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run npm in the page's source."""
    assert _NPM is not None
    return subprocess.run(
        (_NPM, *arguments),
        cwd=SOURCE,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
