"""The real rig, a small second machine, and a small network: made once for all tests."""

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
import torch
from tests.support.shared_store import STORE

from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.split_spec import SplitSpec
from hydrascope.experiment.importing import uncollected
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import GraphTopology, TaskSpec, validate
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.telemetry import ZemaSource

torch.set_num_threads(1)
hypothesis.settings.register_profile("any_machine", deadline=None)  # a busy one is slow, not wrong
hypothesis.settings.load_profile("any_machine")

ROOT = Path(__file__).parents[1]


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: tests of servers and processes wait a lot."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import the tests, and all that they import, as a job is imported."""
    with uncollected():
        return (yield)


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    """Remove what a command in this process sends its logs to, a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="session")
def task() -> TaskSpec:
    """The task of the rig as users get it: four graded components and one machine head."""
    return validate(TaskSpec, load_yaml(ROOT / "conf" / "task" / "zema.yaml"))


@pytest.fixture(scope="session")
def zema() -> ZemaSource:
    return ZemaSource()


@pytest.fixture(scope="session")
def engineer() -> FeatureEngineer:
    """11 statistics and 6 samples of each sub-window: 17 features."""
    return FeatureEngineer(FeatureConfig())


@pytest.fixture(scope="session")
def rig(
    zema: ZemaSource,
    engineer: FeatureEngineer,
    task: TaskSpec,
) -> HydraulicDataModule:
    """All 2205 cycles of the rig in 10 steps; treat as read-only."""
    data = HydraulicDataModule(
        zema,
        WindowSpec(window_s=60.0, stride_s=60.0, steps=10),
        engineer,
        task,
        store=StoreConfig(STORE),
        split=SplitSpec("unseen_conditions", folds=5, fold=0, val_fraction=0.1),
        loader=DataLoaderConfig(batch_size=64),
    )
    data.setup()
    return data


@pytest.fixture(scope="session")
def press() -> GraphTopology:
    """A press unlike the rig: a declared kind, a component without sensors, a directed line."""
    line = {"kind": "pressure_line", "diameter_mm": 16, "length_m": 2.5, "material": "steel"}
    return validate(
        GraphTopology,
        {
            "id": "press",
            "component_kinds": ["die"],
            "sensor_kinds": {"strain": ["um/m"]},
            "components": [
                {
                    "id": "pump",
                    "kind": "pump",
                    "nominal": {"displacement_cm3": 45.0, "preload_bar": -2.5},
                    "sensors": [
                        {"id": "p_pump", "kind": "pressure", "unit": "bar", "rate_hz": 10},
                        {"id": "n_pump", "kind": "speed", "unit": "rpm", "rate_hz": 1},
                    ],
                },
                {"id": "manifold", "kind": "manifold"},
                {
                    "id": "cylinder",
                    "kind": "cylinder",
                    "nominal": {"bore_mm": 80.0},
                    "sensors": [{"id": "x", "kind": "position", "unit": "mm", "rate_hz": 100}],
                },
                {
                    "id": "die",
                    "kind": "die",
                    "sensors": [{"id": "e_die", "kind": "strain", "unit": "um/m", "rate_hz": 100}],
                },
            ],
            "edges": [
                line
                | {
                    "source": "pump",
                    "target": "manifold",
                    "pressure_rating_bar": 350,
                    "bidirectional": False,
                },
                line | {"source": "manifold", "target": "cylinder", "material": "rubber"},
                line | {"source": "cylinder", "target": "die", "kind": "mechanical"},
            ],
        },
    )
