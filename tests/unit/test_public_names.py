"""`import hydrascope` is quick, and each public name is what its home says."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

import hydrascope
from hydrascope.schemas import SpecError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", hydrascope.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(hydrascope, name)
    assert name in dir(hydrascope)
    assert f"`{name}`" in (ROOT / "docs" / "python.md").read_text("utf-8") or name == "__version__"
    assert name == "__version__" or found.__doc__


class Odd:
    """What no argument accepts."""


def checked_calls() -> Iterator[Any]:
    """Yield what takes arguments: functions, classes that are no pydantic models, their methods."""
    skipped = {"SpecError", "FeatureConfig", "NetworkConfig", "DatabaseSettings"}
    for name in hydrascope.__all__:
        found = getattr(hydrascope, name)
        if callable(found) and name not in skipped and not hasattr(found, "model_fields"):
            yield pytest.param(found, id=name)
    from hydrascope import Diagnoser, GraphBuilder, TimescaleConnector, TrainingRun

    for kind, methods in {
        Diagnoser: ("predict", "explain"),
        GraphBuilder: ("build_graph",),
        TrainingRun: ("evaluate",),
        TimescaleConnector: (
            "fetch_sensor_data",
            "fetch_batch_sensor_data",
            "iter_sensor_data",
            "write_telemetry",
            "sensor_keys",
        ),
    }.items():
        for method in methods:
            bound = partial(getattr(kind, method), None)
            yield pytest.param(bound, id=f"{kind.__name__}.{method}")
    yield pytest.param(Diagnoser.load, id="Diagnoser.load")


@pytest.mark.parametrize("call", [*checked_calls()])
def test_a_wrong_argument_is_named_with_its_value_and_what_is_accepted(
    call: Callable[..., object],
) -> None:
    given, names = [], []
    keys = {}
    for each in signature(call).parameters.values():
        if each.kind is Parameter.KEYWORD_ONLY:
            keys[each.name] = Odd()
        elif each.kind is not Parameter.VAR_KEYWORD:
            given.append(Odd())
        else:
            continue
        names.append(each.name)
    with pytest.raises(SpecError) as refused:
        call(*given, **keys)
    assert [path.partition("[")[0] for path, _ in refused.value.faults] == names
    assert all("Odd object at" in each for _, each in refused.value.faults)
    assert all("is not accepted; expected " in each for _, each in refused.value.faults)


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    assert not hasattr(hydrascope, "no_such_name")


def test_importing_takes_nothing_heavy() -> None:
    check = "import sys, hydrascope; print({'torch', 'pandas', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


WITHOUT_EXTRAS = """
import sys
for name in (
    "lightning", "hydra", "omegaconf", "sklearn", "scipy", "captum", "matplotlib", "mlflow",
    "asyncpg", "tenacity", "cryptography", "fastapi", "pydantic_settings", "numba", "networkx",
):
    sys.modules[name] = None  # as Python has what cannot be imported
import hydrascope
for name in hydrascope.__all__:
    try:
        getattr(hydrascope, name)
    except (ImportError, hydrascope.SpecError) as error:
        print(name, error, sep=": ")
"""


def test_without_extras_only_what_needs_one_is_missing_and_says_which() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=True
    )
    needed = {
        "DatabaseSettings": "timescale",
        "Diagnoser": "serve",
        "HydraulicDataModule": "train",
        "TimescaleConnector": "timescale",
        "TimescaleSource": "timescale",
        "TrainingRun": "train",
        "fit": "train",
    }
    lines = done.stdout.splitlines()
    assert len(lines) == len(needed)
    for line, (name, extra) in zip(lines, needed.items(), strict=True):
        assert line.startswith(f"{name}: ")
        assert line.endswith(f"pip install 'hydrascope[{extra}]'")
