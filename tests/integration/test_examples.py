"""The examples of the documentation, by the commands and edits that their pages show.

Each leads from raw CSV to a report that a reader can trust.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jobs import ROOT
from pages import EXAMPLES

MOST_STEPS = 10


def steps(page: Path) -> list[tuple[str, str]]:
    """Return what a reader does, in order: the language and text of each command and edit."""
    found = re.findall(r"^```(bash|diff)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.M)
    done: list[tuple[str, str]] = []
    for language, text in found:
        if language == "diff":
            done.append((language, text))
        else:
            lines = (line.partition("  #")[0].strip() for line in text.splitlines())
            done += [(language, line) for line in lines if line]
    return done


def edit(text: str, folder: Path) -> None:
    """Replace the lines of a file that begin with a minus by those with a plus."""
    head, *lines = text.splitlines()
    path = folder / head.removeprefix("--- ")
    before = "\n".join(line[1:] for line in lines if line[0] in " -")
    after = "\n".join(line[1:] for line in lines if line[0] in " +")
    content = path.read_text("utf-8")
    assert content.count(before) == 1, f"{path} has not once: {before}"
    path.write_text(content.replace(before, after), "utf-8")


def walked(page: Path, folder: Path) -> Path:
    """Do what a page says in a new folder; return that folder."""
    for name in ("train.py", "evaluate.py"):
        shutil.copy(ROOT / name, folder)
    for name in ("conf", "examples"):
        (folder / name).symlink_to(ROOT / name)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for language, text in steps(page):
        if language == "diff":
            edit(text, folder)
            continue
        program, *words = shlex.split(text)
        assert program == "python"
        if words[0] == "train.py":
            words += ["tracking=none", "trainer.progress_bar=false"]
        result = subprocess.run(
            [sys.executable, *words], cwd=folder, capture_output=True, text=True, env=environment
        )
        assert result.returncode == 0, f"{text}\n{result.stdout}\n{result.stderr}"
    return folder


def judged(folder: Path) -> dict[str, Any]:
    """Return the numbers of the report."""
    report: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return report


def page_named(name: str) -> Path:
    """Return a page of examples."""
    (page,) = (page for page in EXAMPLES if page.stem == name)
    return page


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.stem)
def test_an_example_takes_few_steps(page: Path) -> None:
    assert 3 <= len(steps(page)) <= MOST_STEPS
