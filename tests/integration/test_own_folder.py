"""A user's own folder: the real rig's telemetry as continuous files, checked and trained on."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jobs import Train
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.telemetry import ParquetSource, ZemaSource
from hydrascope.telemetry.zema_recording import ASSETS

CYCLES = 2205


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wide Parquet by day, the pressures in psi, and the labels beside them."""
    folder = tmp_path_factory.mktemp("own") / "rig"
    (folder / "machines").mkdir(parents=True)
    (folder / "labels").mkdir()
    rig = ZemaSource()
    (extent,) = rig.extents("zema")
    table = pd.DataFrame({name: s.values for name, s in rig.read("zema", extent).items()})
    psi = [name for name in table if name.startswith("PS")]
    table[psi] = table[psi].astype(np.float64) / 0.0689475729316836
    times = pd.date_range(extent.start, periods=len(table), freq="1s", unit="us")
    table.insert(0, "timestamp", times)
    table.insert(1, "equipment_id", "zema")
    for day, rows in table.groupby(times.date):
        rows.to_parquet(folder / f"{day}.parquet", index=False)
    labels = rig.labels("zema").drop(columns="unseen_condition_fold")
    labels.insert(0, "equipment_id", "zema")
    labels.to_csv(folder / "labels" / "profile.csv", index=False)
    # This recording is that of the set reduced to 1 Hz.
    machine = (ASSETS / "machine.yaml").read_text("utf-8")
    machine = machine.replace("rate_hz: 100,", "rate_hz: 1,").replace("rate_hz: 10,", "rate_hz: 1,")
    (folder / "machines" / "zema.yaml").write_text(machine, "utf-8")
    return folder


UNITS = {f"PS{i}": "psi" for i in range(1, 7)}


def test_the_folder_answers_as_the_rig_does(own_folder: Path) -> None:
    own, rig = ParquetSource(own_folder, units=UNITS), ZemaSource()
    (extent,) = rig.extents("zema")
    assert own.extents("zema") == [extent]
    read, expected = own.read("zema", extent), rig.read("zema", extent)
    for name, signal in expected.items():
        assert read[name].rate_hz == 1
        np.testing.assert_allclose(read[name].values, signal.values, rtol=2e-7)
    labels = rig.labels("zema").drop(columns="unseen_condition_fold")
    pd.testing.assert_frame_equal(own.labels("zema"), labels, check_dtype=False)


def test_the_check_finds_the_wrong_unit_and_lets_the_right_one_pass(own_folder: Path) -> None:
    options = [f"--unit={sensor}={unit}" for sensor, unit in UNITS.items()]
    result = CliRunner().invoke(app, ["check", str(own_folder), "--json", *options])
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {each["severity"] for each in report["findings"]} <= {"note"}
    wrong = json.loads(CliRunner().invoke(app, ["check", str(own_folder), "--json"]).stdout)
    assert any("another unit" in each["message"] for each in wrong["findings"])


@pytest.mark.parametrize(
    "split", [pytest.param("chronological", marks=pytest.mark.slow), "unseen_conditions"]
)
def test_it_trains(own_folder: Path, run_training: Train, split: str) -> None:
    units = ",".join(f"{sensor}:{unit}" for sensor, unit in UNITS.items())
    run_dir = run_training(
        "data=parquet",
        f"data.source.folder={own_folder}",
        f"data.source.units={{{units}}}",
        f"data.split.name={split}",
        "task=zema",
        "features.cleaning.fill=interpolate",
        "features.cleaning.outlier_threshold=20.0",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=1",
    )
    results = json.loads((run_dir / "results.json").read_text())
    assert set(results["test"]["gatv2_arma"]) == {
        "cooler",
        "valve",
        "pump",
        "accumulator",
        "stable",
    }
