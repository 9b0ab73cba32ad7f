"""`import hydrascope` is quick, and each public name is what its home says."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel

import hydrascope
import hydrascope.schemas
from hydrascope.features.config import CleaningConfig, FeatureConfig
from hydrascope.models.config import LinearConfig
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.schemas import SpecError
from hydrascope.telemetry.folder.settings import FolderSettings

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
    for name in hydrascope.__all__:
        found = getattr(hydrascope, name)
        if callable(found) and name != "SpecError" and not hasattr(found, "model_fields"):
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


def models() -> Iterator[type[BaseModel]]:
    """Yield the public pydantic models, and those that their fields are made of."""
    homes = (hydrascope, hydrascope.schemas)
    public = [getattr(home, name) for home in homes for name in home.__all__]
    waiting = [*public, CleaningConfig, FolderSettings, LinearConfig, DiscriminantConfig]
    yield from dict.fromkeys(each for each in waiting if hasattr(each, "model_fields"))


@pytest.mark.parametrize("model", [*models()])
def test_a_wrong_field_of_a_specification_is_one_line_that_names_it(model: type[BaseModel]) -> None:
    fields = {name: each.validation_alias for name, each in model.model_fields.items()}
    keys = {name if alias is None else str(alias.choices[0]) for name, alias in fields.items()}
    with pytest.raises(SpecError) as refused:
        model(**{key: Odd() for key in keys}, colour="red")
    assert refused.value.source == model.__name__
    named = [re.split(r"[.\[]", path)[0] for path, _ in refused.value.faults]
    assert {*named} == {*keys, "colour"}
    lines = str(refused.value).splitlines()
    assert len(lines) == 1 + len(refused.value.faults)
    assert all("accepted" in line for line in lines[1:])


def test_the_faults_of_a_part_keep_their_paths() -> None:
    with pytest.raises(SpecError) as refused:
        FeatureConfig(cleaning={"max_gap_s": -1}, num_frequencies=0)  # type: ignore[arg-type]
    assert str(refused.value) == (
        "FeatureConfig: 2 errors\n"
        "  num_frequencies: 0 is not accepted; expected greater than or equal to 1\n"
        "  cleaning.max_gap_s: -1 is not accepted; expected greater than 0"
    )
    with pytest.raises(SpecError, match=r"^FeatureConfig: \{.*\} is not accepted; every sensor"):
        FeatureConfig(statistical=False, patch=False)


def test_a_value_of_several_lines_is_one_line() -> None:
    with pytest.raises(SpecError) as refused:
        FeatureConfig(num_frequencies=pd.DataFrame({"a": [1, 2]}))  # type: ignore[arg-type]
    (line,) = str(refused.value).splitlines()
    words = " ".join(line.split())
    assert words.startswith("FeatureConfig: num_frequencies: a 0 1 1 2 is not accepted; expected")


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
