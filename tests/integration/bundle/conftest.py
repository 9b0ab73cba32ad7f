"""A bundle, opened and as a copy to change."""

import shutil
from pathlib import Path

import pytest

from hydrascope.packaging.bundle import Bundle, read_bundle


@pytest.fixture(scope="module")
def opened(bundle: Path) -> Bundle:
    return read_bundle(bundle)


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))
