"""What a job imports is kept from the garbage collector, and nothing else changes."""

import gc
import sys
from pathlib import Path

import pytest

from hydrascope.experiment.importing import load

MODULE = "import gc\ncollecting = gc.isenabled()\nmade = [[] for _ in range(1000)]\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "much.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "much", raising=False)
    return "much"


def test_what_is_imported_is_never_looked_through(module: str) -> None:
    before = gc.get_freeze_count()
    much = load(module)
    assert not much.collecting
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(much.made)
    assert load(module) is much


def test_a_module_that_fails_leaves_the_collector_on(tmp_path: Path, module: str) -> None:
    (tmp_path / "much.py").write_text("raise ImportError('broken')")
    with pytest.raises(ImportError, match="broken"):
        load(module)
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off(module: str) -> None:
    gc.disable()
    try:
        load(module)
        assert not gc.isenabled()
    finally:
        gc.enable()
