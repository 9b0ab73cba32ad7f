"""The page's build is that of its source, and the source's own tests pass."""

from pathlib import Path

import pytest
from jobs import ROOT
from npm import npm, packages

PACKAGE = ROOT / "src" / "hydrascope"
PAGE, REPORT = PACKAGE / "serving" / "page", PACKAGE / "assets" / "report" / "built"

pytestmark = pytest.mark.xdist_group("page_build")


@pytest.fixture(autouse=True)
def installed() -> Path:
    return packages()


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_the_builds_in_the_package_are_those_of_the_source(tmp_path: Path) -> None:
    page, report = tmp_path / "page", tmp_path / "report"
    answer = npm("run", "build", PAGE_BUILD=str(page), REPORT_BUILD=str(report))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert contents(page) == contents(PAGE), "make page"
    assert contents(report) == contents(REPORT), "make page"


def test_the_reports_script_can_stand_in_a_page() -> None:
    script = (REPORT / "report.js").read_text("utf-8")
    assert "</script" not in script
    assert "<!--" not in script


def test_the_source_has_its_types_and_its_form() -> None:
    answer = npm("run", "check")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_circuits_and_words_of_the_page_are_as_they_should_be() -> None:
    answer = npm("test")
    assert answer.returncode == 0, answer.stdout + answer.stderr
