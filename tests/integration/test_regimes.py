"""Operating regimes from telemetry to the service: fitted on training windows, kept, and served."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from jobs import Train, export_settings

from hydrascope.experiment import export
from hydrascope.experiment.restore import restore
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas import TimeWindow
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import MACHINE
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow

SECONDS, MODE_S = 1200, 40
SPEEDS = (1000.0, 3000.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pumps that change between two speeds, with pressures that follow."""
    folder = tmp_path_factory.mktemp("pumps") / "pumps"
    (folder / "machines").mkdir(parents=True)
    (folder / "labels").mkdir()
    sensors = [
        {"id": "speed", "kind": "speed", "unit": "rpm", "rate_hz": 1},
        {"id": "p", "kind": "pressure", "unit": "bar", "rate_hz": 1},
    ]
    machine = {
        "schema_version": 1,
        "equipment": {"equipment_ids": ["pump_{1..2}"], "name": "Pump"},
        "topology": {
            "id": "pump",
            "components": [{"id": "pump", "kind": "pump", "sensors": sensors}],
            "edges": [],
        },
    }
    (folder / "machines" / "pump.yaml").write_text(yaml.safe_dump(machine), "utf-8")
    random, time = np.random.default_rng(0), np.arange(SECONDS)
    fast = (time // MODE_S) % 2
    stamps = pd.date_range("2026-01-01", periods=SECONDS + 1, freq="1s")
    for name in ("pump_1", "pump_2"):
        values = {
            "timestamp": stamps[:-1],
            "equipment_id": name,
            "speed": np.array(SPEEDS)[fast] + random.normal(0, 20, SECONDS),
            "p": np.array([50.0, 200.0])[fast] + random.normal(0, 1, SECONDS),
        }
        pd.DataFrame(values).to_parquet(folder / f"{name}.parquet", index=False)
        labels = {
            "equipment_id": name,
            "start": stamps[:-1:MODE_S],
            "end": stamps[MODE_S::MODE_S],
            "mode": fast[::MODE_S],
        }
        pd.DataFrame(labels).to_csv(folder / "labels" / f"{name}.csv", index=False)
    return folder


def learn(run_training: Train, folder: Path, *more: str) -> Path:
    return run_training(
        "data=parquet",
        f"data.source.folder={folder}",
        "data.source.time_zone=UTC",
        "task=normality",
        "model=mahalanobis",
        "data.window.window_s=10",
        "data.window.stride_s=10",
        "data.window.steps=5",
        "features=short_windows",
        "features.patch_length=2",
        *more,
    )


@pytest.fixture(scope="module", params=["null", "mode"])
def run_dir(request: pytest.FixtureRequest, run_training: Train, folder: Path) -> Path:
    spec = f"{{sensors: [speed], number: 2, label: {request.param}}}"
    return learn(run_training, folder, f"data.normalise.regimes={spec}")


def test_regimes_are_found_in_the_training_windows_and_normalise_each_by_its_own(
    run_dir: Path,
) -> None:
    _, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    regimes = diagnoser.normalizer.regimes
    assert regimes is not None
    mode = data.table["mode"].to_numpy()
    train = data.split.train
    means = np.concatenate([each.read("sensor_features")[:, 0, :, regimes.feature].double().mean(1)
                            for each in data.dataset.machines])  # fmt: skip
    expected = [means[train[mode[train] == number]].mean() for number in (0, 1)]
    np.testing.assert_allclose(regimes.center[:, 0], expected, rtol=1e-6)
    normalised = diagnoser.normalise(data.dataset.gather(train).inputs)
    pressure = normalised.sensor_features.unflatten(0, (-1, 2))[:, 1, :, regimes.feature].numpy()
    for number in (0, 1):
        own = pressure[mode[train] == number]
        assert own.mean() == pytest.approx(0.0, abs=1e-3)
        assert own.std() == pytest.approx(1.0, abs=1e-3)


def test_the_service_assigns_regimes_as_the_evaluation_does(run_dir: Path, tmp_path: Path) -> None:
    ckpt = str(run_dir / "checkpoints" / "best.ckpt")
    export.run(export_settings(ckpt, tmp_path / "bundle"))
    opened = read_bundle(tmp_path / "bundle")
    _, diagnoser, data = restore(ckpt)
    own, kept = diagnoser.normalizer.regimes, opened.diagnoser.normalizer.regimes
    assert own is not None
    assert kept is not None
    torch.testing.assert_close(kept.center, own.center, rtol=0, atol=0)
    served = ServedModel(opened)
    for row in data.split.test[:: len(data.split.test) // 6]:
        name, start = data.table.loc[row, ["equipment_id", "start"]]
        span = TimeWindow(start=start, end=start + timedelta(seconds=10))
        window = TelemetryWindow(data.machines[name], start, data.source.read(name, span))
        (answer,), _ = served.answer([window])
        eager = diagnoser.predict(data.dataset.gather([row]).inputs)
        assert float(answer.normality[MACHINE][0]) == pytest.approx(float(eager[MACHINE]), abs=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{sensors: [sped], number: 2}", r"regimes\.sensors: 'sped' is no sensor of build 'pump'"),
        ("{sensors: [speed], number: 3, label: mode}", r"regimes\.number: 3, but 'mode' has 2 val"),
        ("{sensors: [speed], number: 2, label: mod}", r"regimes\.label: 'mod' is no label column"),
    ],
)
def test_regimes_that_the_data_do_not_have_are_refused(
    run_training: Train, folder: Path, given: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        learn(run_training, folder, f"data.normalise.regimes={given}")


def test_regimes_without_the_mean_or_without_normalisation_are_refused(
    run_training: Train, folder: Path
) -> None:
    given = "data.normalise.regimes={sensors: [speed], number: 2}"
    with pytest.raises(SpecError, match="regimes are told apart by the feature 'mean'"):
        learn(run_training, folder, given, "features.names=[std, max]")
    with pytest.raises(SpecError, match=r"regimes.*expected null, because data\.normalise\.method"):
        learn(run_training, folder, given, "data.normalise.method=none")
