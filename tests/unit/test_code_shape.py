"""How long files and functions are, how much a function is given, whose private parts are used."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src" / "hydrascope"
MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 300, 60, 8

EXCEPTIONS = {
    "cli/commands.py check": "each parameter is an option of the command: typer reads them so",
    "cli/commands.py ingest": "likewise",
    "cli/simulating.py simulate": "likewise",
    "cli/calibrating.py calibrate": "likewise",
    "cli/diagnosing.py diagnose": "likewise",
    "cli/predicting.py predict": "likewise",
    "cli/scoring.py score": "likewise",
    "data/datamodule.py HydraulicDataModule.__init__": "one argument for each part of `conf/data`",
    "data/sampling.py WindowSampler.__init__": "independent choices, each of them with a default",
    "simulation/solver/advance.py _advance_one": "numba takes arrays, no objects",
    "simulation/solver/advance.py _iterate": "likewise",
    "simulation/solver/motion.py speed_under": "likewise",
}
"""File, or file and function → why it may be longer, or be given more, than others."""

NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}
"""Public in spite of their names: they cannot clash with a field."""


class Function(NamedTuple):
    name: str
    lines: int
    parameters: int


def functions(tree: ast.AST, within: str = "") -> Iterator[Function]:
    """Yield the functions of a tree by their qualified names; `self` and `cls` do not count."""
    for node in ast.iter_child_nodes(tree):
        inner = within
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{within}.{node.name}" if within else node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            count = len([name for name in names if name not in ("self", "cls")])
            count += sum(each is not None for each in (given.vararg, given.kwarg))
            assert node.end_lineno is not None
            yield Function(inner, node.end_lineno - node.lineno + 1, count)
        yield from functions(node, inner)


def of_a_dependency(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] != "hydrascope"


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def made_here(tree: ast.AST) -> set[str]:
    """Return the private names that a file defines: functions, classes, fields, attributes."""
    found = set(NAMED_TUPLE)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


def inherited(tree: ast.AST) -> set[str]:
    """Return the private names that our own modules define which a file imports from."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not of_a_dependency(node.module):
            file = SOURCE.parent.joinpath(*str(node.module).split(".")).with_suffix(".py")
            if file.is_file():
                found |= made_in(file)
    return found


@cache
def made_in(file: Path) -> set[str]:
    return made_here(ast.parse(file.read_text("utf-8")))


def foreign_private_names(tree: ast.AST) -> Iterator[str]:
    """Yield the private names of others that a file uses, with their lines."""
    own = made_here(tree) | inherited(tree)
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [part for each in node.names for part in each.name.split(".")]
        elif isinstance(node, ast.ImportFrom) and of_a_dependency(node.module):
            assert node.module is not None
            names = [*node.module.split("."), *(each.name for each in node.names)]
        elif isinstance(node, ast.Attribute) and node.attr not in own:
            names = [node.attr]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "setattr", "hasattr", "delattr")
            and isinstance(node.args[1], ast.Constant)
            and node.args[1].value not in own
        ):
            names = [str(node.args[1].value)]
        yield from (f"line {node.lineno}: {name}" for name in names if is_private(name))


def trees() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(SOURCE.rglob("*.py")):
        yield file.relative_to(SOURCE).as_posix(), ast.parse(file.read_text("utf-8"))


def too_much() -> dict[str, str]:
    """Return file, or file and function → what is too much of it."""
    found = {}
    for file, tree in trees():
        if (lines := len((SOURCE / file).read_text("utf-8").splitlines())) > MOST_LINES:
            found[file] = f"{lines} lines"
        for each in functions(tree):
            if each.lines > MOST_FUNCTION_LINES or each.parameters > MOST_PARAMETERS:
                found[f"{file} {each.name}"] = f"{each.lines} lines, {each.parameters} parameters"
    return found


def test_files_and_functions_are_short_and_are_given_little_but_for_those_with_a_reason() -> None:
    unexplained = {name: why for name, why in too_much().items() if name not in EXCEPTIONS}
    assert unexplained == {}


def test_files_of_tests_are_short_without_exception() -> None:
    sizes = {file: len(file.read_text("utf-8").splitlines()) for file in TESTS.rglob("*.py")}
    assert [file for file, size in sizes.items() if size > MOST_LINES] == []


def test_an_exception_that_is_not_needed_any_more_is_gone() -> None:
    assert EXCEPTIONS.keys() - too_much().keys() == set()


def test_no_private_part_of_a_dependency_is_used() -> None:
    found = {file: names for file, tree in trees() if (names := [*foreign_private_names(tree)])}
    assert found == {}


@pytest.mark.parametrize(
    "code",
    [
        "import torch._dynamo",
        "from torch._C import FileCheck",
        "from hydra._internal.utils import get_args",
        "from hydra.core.plugins import _internal",
        "import torch\ntorch._C._get_tracing_state()",
        "from lightning import Trainer\nTrainer()._run()",
        "class Own(Base):\n    def f(self):\n        return self._of_base",
        "getattr(trainer, '_checkpoint_connector')",
    ],
)
def test_a_private_part_is_noticed_wherever_it_stands(code: str) -> None:
    assert [*foreign_private_names(ast.parse(code))]


@pytest.mark.parametrize(
    "code",
    [
        "from __future__ import annotations",
        "from hydrascope.models import _own",
        "class Own:\n    def f(self):\n        self._mine = 1\n        return self._mine",
        "batch._replace(inputs=inputs)",
        "def _own(): ...\n_own()",
    ],
)
def test_what_is_our_own_is_no_private_part_of_another(code: str) -> None:
    assert [*foreign_private_names(ast.parse(code))] == []
