"""A bundle of the rig, and telemetry in frames."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from frames import expected_of
from jobs import export_settings

from hydrascope import Diagnoser
from hydrascope.experiment import export
from hydrascope.packaging.bundle import Bundle, read_bundle
from hydrascope.schemas import TimeWindow
from hydrascope.telemetry import ZemaSource


@pytest.fixture(scope="session")
def folder(light: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "rig"
    export.run(export_settings(light, folder))
    return folder


@pytest.fixture(scope="session")
def opened(folder: Path) -> Bundle:
    return read_bundle(folder)


@pytest.fixture(scope="session")
def diagnoser(folder: Path) -> Diagnoser:
    return Diagnoser.load(folder, least_right=0.0)  # it was hardly trained


@pytest.fixture(scope="session")
def expected(light: str) -> tuple[pd.DataFrame, list[TimeWindow]]:
    return expected_of(light)


@pytest.fixture(scope="session")
def wide(expected: tuple[pd.DataFrame, list[TimeWindow]], zema: ZemaSource) -> pd.DataFrame:
    """The raw samples of these windows; the two that follow each other are one stretch."""
    parts = []
    for window in expected[1]:
        signals = zema.read("zema", window)
        times = pd.date_range(window.start, periods=60, freq="1s")
        values = {name: signal.values for name, signal in signals.items()}
        parts.append(pd.DataFrame({"timestamp": times, **values}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def of_two(opened: Bundle) -> Diagnoser:
    """Answers of two rigs."""
    (rig,) = opened.manifest.machines
    twin = rig.model_copy(
        update={"equipment": rig.equipment.model_copy(update={"equipment_id": "twin"})}
    )
    manifest = opened.manifest.model_copy(update={"machines": (rig, twin)})
    return Diagnoser(replace(opened, manifest=manifest), least_right=0.0)
