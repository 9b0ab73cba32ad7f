"""The page's build is that of its source, and the source's own tests pass."""

from pathlib import Path

import pytest
from jobs import ROOT
from npm import npm, packages

BUILD = ROOT / "src" / "hydrascope" / "serving" / "page"

pytestmark = pytest.mark.xdist_group("page_build")


@pytest.fixture(autouse=True)
def installed() -> Path:
    return packages()


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_the_build_in_the_package_is_that_of_the_source(tmp_path: Path) -> None:
    answer = npm("run", "build", PAGE_BUILD=str(tmp_path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert contents(tmp_path) == contents(BUILD), "make page"


def test_the_source_has_its_types_and_its_form() -> None:
    answer = npm("run", "check")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_circuits_and_words_of_the_page_are_as_they_should_be() -> None:
    answer = npm("test")
    assert answer.returncode == 0, answer.stdout + answer.stderr
