"""`import hydrascope` is quick, and each public name is what its home says."""

import subprocess
import sys
from pathlib import Path

import pytest

import hydrascope

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", hydrascope.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(hydrascope, name)
    assert name in dir(hydrascope)
    assert f"`{name}`" in (ROOT / "docs" / "python.md").read_text("utf-8") or name == "__version__"
    assert name == "__version__" or found.__doc__


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
