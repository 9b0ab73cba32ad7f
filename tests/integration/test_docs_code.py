"""What the pages show as code is well-formed, and what they tell a training is accepted."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pages import CHECKED, EXAMPLES, RUN, blocks, shown_files

from hydrascope.experiment.check import check

PAGES = (*RUN, *EXAMPLES, *CHECKED)


def test_python_yaml_and_json_are_well_formed() -> None:
    for block in blocks(PAGES, "python"):
        compile(block, "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for block in blocks(PAGES, "yaml"):
        assert yaml.safe_load(block)
    for block in blocks(PAGES, "json"):
        assert json.loads(block)


def test_shell_is_well_formed() -> None:
    for block in blocks(PAGES, "bash"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert done.stderr == ""


def trainings() -> Iterator[list[str]]:
    """Yield what a training is told by each command that is not run; of a sweep its first run."""
    for block in blocks(CHECKED, "bash"):
        for told in re.findall(r"(?:train\.py|hydrascope train) (.*)", block.replace("\\\n", " ")):
            words = shlex.split(told, comments=True)
            yield [re.sub(r"(=[^,{]+),.*", r"\1", word) for word in words if word != "-m"]


@pytest.mark.parametrize("given", list(trainings()), ids=" ".join)
def test_a_training_of_the_pages_is_told_what_is_accepted(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "press.yaml").write_text(shown_files()["conf/task/press.yaml"])
    monkeypatch.setenv("HYDRASCOPE_DSN", "postgresql://hydrascope@localhost/plant")
    check(given, tmp_path)
