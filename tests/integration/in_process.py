"""Commands in this process, because importing torch and Lightning anew takes longer than many."""

import runpy
import sys
from pathlib import Path

import pytest

from hydrascope.cli import main
from hydrascope.evaluation import missing


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run `python …` or `hydrascope …` in the working directory; return the exit code."""
    monkeypatch.setattr(missing, "PAIRS", 5)  # of 136 of the rig
    monkeypatch.syspath_prepend(Path.cwd())  # as python itself puts a script's folder there
    try:
        if words[0] == "hydrascope":  # the command itself: test_wheel.py
            monkeypatch.setattr(sys, "argv", words)
            main()
        elif words[1] == "-m":
            monkeypatch.setattr(sys, "argv", words[2:])
            runpy.run_module(words[2], run_name="__main__")
        else:
            monkeypatch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
    except SystemExit as ended:
        return ended.code
    return 0
