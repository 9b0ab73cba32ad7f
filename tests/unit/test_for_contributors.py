"""What the repository's host reads: how to cite, and the forms of issues."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text("utf-8"))


def test_the_citation_names_the_software_and_its_data_set() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    notes = (ROOT / "src" / "hydrascope" / "assets" / "zema" / "README.md").read_text("utf-8")
    cited = {reference["doi"] for reference in citation["references"]}
    assert cited == set(re.findall(r"https://doi\.org/([^)]+)", notes))
    assert citation["license"] in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("file", FORMS, ids=lambda file: file.stem)
def test_a_form_asks_each_thing_once(file: Path) -> None:
    form = read(file)
    assert {"name", "description", "labels", "body"} == form.keys()
    ids = [question["id"] for question in form["body"]]
    labels = [question["attributes"]["label"] for question in form["body"]]
    assert len(set(ids)) == len(set(labels)) == len(ids)
    assert {question["type"] for question in form["body"]} <= {"textarea", "input"}
    assert any(question.get("validations", {}).get("required") for question in form["body"])


def test_there_are_forms_for_bugs_questions_of_data_and_features() -> None:
    assert [file.stem for file in FORMS] == ["bug", "data_question", "feature"]
