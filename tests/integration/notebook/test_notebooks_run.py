"""The notebooks of the documentation run from the first cell to the last.

They run on less than they show, as the commands of the README do. Numbers are not compared.
"""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from jobs import ROOT
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SHORT_TRAINING = ('"progress_bar": False', '"progress_bar": False, "limit_train_batches": 3')
BRIEF = {
    "fleet": ('"machines_per_kind": 96', '"machines_per_kind": 24'),
    "own_csv": SHORT_TRAINING,
    "rig": SHORT_TRAINING,
}
"""What is said in a notebook, and what makes it brief."""


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_and_gives_what_it_was_committed_with(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    committed = nbformat.read(file, as_version=4)
    again = nbformat.read(file, as_version=4)
    shown, brief = BRIEF[file.stem]
    assert sum(cell.source.count(shown) for cell in again.cells) == 1
    for cell in again.cells:
        cell.source = cell.source.replace(shown, brief)
    client = NotebookClient(again, timeout=280, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    for before, after in zip(committed.cells, again.cells, strict=True):
        if before.cell_type == "code":
            assert kinds(before) == kinds(after), before.source


def kinds(cell: nbformat.NotebookNode) -> list[str]:
    """Return what a cell has given: tables, pictures, text; without what libraries warn of."""
    found = (
        ", ".join(sorted(output["data"])) if "data" in output else output["name"]
        for output in cell.outputs
        if output.get("name") != "stderr"
    )
    return list(dict.fromkeys(found))  # what is printed comes in any number of pieces
