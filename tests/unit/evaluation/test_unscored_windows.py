"""Windows without a normality score are counted, and are neither alarms nor their absence."""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from tests.support.shared_store import STORE

from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.split_spec import SplitSpec
from hydrascope.evaluation.detection import (
    ANY,
    detection,
    detection_intervals,
)
from hydrascope.evaluation.detection_text import detection_table
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas.task import NormalitySpec, TaskSpec
from hydrascope.telemetry import ZemaSource

NORMAL = NormalitySpec(healthy={"pump": 0}, false_alarm_rate=0.05)


@pytest.fixture(scope="module")
def data(zema: ZemaSource, engineer: FeatureEngineer) -> HydraulicDataModule:
    module = HydraulicDataModule(
        zema,
        WindowSpec(60.0, 60.0, 10),
        engineer,
        TaskSpec(name="normality", normality=NORMAL),
        store=StoreConfig(STORE),
        split=SplitSpec("unseen_conditions", folds=5, fold=0, val_fraction=0.1),
        loader=DataLoaderConfig(batch_size=64),
    )
    module.plan()
    return module


def test_windows_without_a_score_change_no_rate(data: HydraulicDataModule) -> None:
    windows = data.split.test
    scores = np.random.default_rng(0).uniform(0.5, 1.5, len(windows))
    healthy = np.flatnonzero(data.healthy[windows] == 1)
    lost = np.concatenate([healthy[:7], np.flatnonzero(data.healthy[windows] == 0)[:3]])
    gaps = scores.copy()
    gaps[lost] = np.nan
    kept = np.setdiff1d(np.arange(len(windows)), lost)
    found = detection(data, NORMAL, windows, gaps, 20)
    expected = detection(data, NORMAL, windows[kept], scores[kept], 20)
    assert found["not_scored"] == {"healthy": 7, "unhealthy": 3}
    assert expected["not_scored"] == {"healthy": 0, "unhealthy": 0}
    assert found["false_alarms"] == expected["false_alarms"]
    assert found["faults"] == expected["faults"]
    assert detection_intervals(data, windows, gaps) == detection_intervals(
        data, windows[kept], scores[kept]
    )


def test_a_report_shows_how_many_windows_were_not_scored(data: HydraulicDataModule) -> None:
    windows = data.split.test
    scores = np.full(len(windows), 0.5)
    whole = {"model": detection(data, NORMAL, windows, scores, 20)}
    scores[data.healthy[windows] == 0] = np.nan
    gaps = {"model": detection(data, NORMAL, windows, scores, 20)}
    assert ANY not in gaps["model"]["faults"]
    console = Console(width=120, record=True, file=StringIO())
    console.print(detection_table("scores", whole))
    assert "not scored" not in console.export_text()
    console.print(detection_table("scores", gaps))
    count = int((data.healthy[windows] == 0).sum())
    assert f"0 healthy, {count} unhealthy" in console.export_text()
