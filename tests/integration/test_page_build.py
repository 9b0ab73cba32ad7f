"""The page's build is that of its source, and its own tests pass; skipped where npm cannot install."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from jobs import ROOT

SOURCE, BUILD = ROOT / "page", ROOT / "src" / "hydrascope" / "serving" / "page"
NPM = shutil.which("npm")

pytestmark = [
    pytest.mark.skipif(NPM is None, reason="no npm"),
    pytest.mark.xdist_group("page_build"),
]


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return npm once the packages of the lock file are there."""
    assert NPM is not None
    lock, installed = SOURCE / "package-lock.json", SOURCE / "node_modules" / ".package-lock.json"
    with FileLock(tmp_path_factory.getbasetemp().parent / "npm.lock"):
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            answer = run(NPM, "ci", "--no-audit", "--no-fund")
            if answer.returncode:
                pytest.skip(f"npm cannot install: {answer.stderr.strip().splitlines()[-1]}")
    return NPM


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=SOURCE,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_the_build_in_the_package_is_that_of_the_source(npm: str, tmp_path: Path) -> None:
    answer = run(npm, "run", "build", PAGE_BUILD=str(tmp_path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert contents(tmp_path) == contents(BUILD), "make page"


def test_circuits_and_words_of_the_page_are_as_they_should_be(npm: str) -> None:
    answer = run(npm, "test")
    assert answer.returncode == 0, answer.stdout + answer.stderr
