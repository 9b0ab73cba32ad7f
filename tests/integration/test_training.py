"""Trainings on the real rig: repeatable, resumable, tracked, robust."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from jobs import ALL_HELD_OUT, FEW_HELD_OUT, QUICK, ROOT, Train, small, train_settings

from hydrascope.experiment import train
from hydrascope.schemas.errors import SpecError
from hydrascope.tracking.destination import PARENT


def losses(run_dir: Path) -> pd.DataFrame:
    """Return every logged loss by epoch, as the text that was written."""
    rows = pd.read_csv(run_dir / "metrics.csv", dtype=str).dropna(subset="epoch")
    columns = [name for name in rows if "loss" in name]
    return rows.groupby(rows["epoch"].astype(int))[columns].first()


def script(run_dir: Path, *overrides: str) -> list[str]:
    settings = [*small(*overrides), f"hydra.run.dir={run_dir}"]
    return [sys.executable, str(ROOT / "train.py"), *settings]


def test_the_same_seed_gives_bit_identical_losses(run_training: Train, trained: Path) -> None:
    again = run_training("trainer.max_epochs=3", ALL_HELD_OUT)
    assert losses(again).equals(losses(trained))
    assert len(losses(again)) == 3


@pytest.mark.slow
def test_another_seed_gives_other_losses(run_training: Train, light: str) -> None:
    other = run_training(*QUICK, "trainer.max_epochs=1", ALL_HELD_OUT, "seed=7")
    before = losses(Path(light).parents[1])
    assert losses(other).shape == before.shape
    assert not losses(other).equals(before)


def test_ctrl_c_stops_with_the_command_to_go_on(tmp_path: Path) -> None:
    command = script(tmp_path / "run", *QUICK, "trainer.max_epochs=500")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    # Tests that run in the background have inherited an ignored SIGINT; a terminal's job has not.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            while not last.exists():
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=100)
        finally:
            process.kill()
    assert process.returncode == 130
    assert f"resume={last}" in output.replace("\n", "")


def test_resuming_with_another_network_is_refused_with_both_values(trained: Path) -> None:
    last = trained / "checkpoints" / "last.ckpt"
    changed = train_settings(*small("data.fold=2"), f"run_dir={trained}", f"resume={last}")
    with pytest.raises(SpecError, match=r"data\.fold: .* trained with 0, now 2"):
        train.run(changed)


def test_mlflow_and_wandb_hold_the_parameters_and_metrics_of_the_run(
    run_training: Train, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    tracked = (*QUICK, "tracking=both", f"tracking.mlflow.uri={uri}")
    run_dir = run_training(*tracked, "trainer.max_epochs=1")
    client = mlflow.MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "hydrascope"]
    (run,) = client.search_runs([experiment.experiment_id])
    results = json.loads((run_dir / "results.json").read_text())
    assert run.info.status == "FINISHED"
    assert run.data.params["model.hidden_channels"] == "16"
    expected = results["test"]["gatv2_arma"]["valve"]["accuracy"]
    assert run.data.metrics["test/valve/accuracy"] == pytest.approx(expected)
    assert "train/loss" in run.data.metrics
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0
    assert list(run_dir.glob("wandb/offline-run-*/*.wandb"))


def test_every_head_stands_beside_all_baselines_in_the_results(run_training: Train) -> None:
    # Few features keep the covariance of LDA small.
    run_dir = run_training(*QUICK, "baselines=true", "trainer.max_epochs=1")
    results = json.loads((run_dir / "results.json").read_text())["test"]
    heads = {"cooler", "valve", "pump", "accumulator", "stable"}
    assert {name: set(model) for name, model in results.items()} == {
        "gatv2_arma": heads,
        "discriminant": heads - {"stable"},
        "linear": {"stable"},
        "shrinkage LDA": heads,
        "extra trees": heads,
        "nearest neighbours": heads,
    }
    assert all(rows["rows"] == 440 for model in results.values() for rows in model.values())
    assert results["shrinkage LDA"]["cooler"]["accuracy"] > 0.95


def test_a_damaged_recording_trains_and_predicts(run_training: Train) -> None:
    source = "data.source={_target_: damaged_rig.DamagedRig}"
    run_dir = run_training(source, FEW_HELD_OUT, "trainer.max_epochs=1")
    results = json.loads((run_dir / "results.json").read_text())["test"]["gatv2_arma"]
    assert all(0.0 <= head["accuracy"] <= 1.0 for head in results.values())
    assert losses(run_dir).astype(float).notna().all(axis=None)


COOLER = (
    "{name: cooler, level: component, kind: ordinal, components: [cooler], classes: "
    "[{value: 3, name: failing}, {value: 20, name: reduced}, {value: 100, name: full}]}"
)


def test_a_folder_of_the_original_download_trains_at_its_native_rates(run_training: Train) -> None:
    folder = ROOT / "tests" / "data" / "zema_native"
    run_dir = run_training(
        f"data.source.folder={folder}",
        "data.batch_size=4",
        "trainer.max_epochs=1",
        f"task.heads=[{COOLER}]",  # so few cycles do not show every class of the others
    )
    results = json.loads((run_dir / "results.json").read_text())["test"]["gatv2_arma"]
    assert results["cooler"]["rows"] == 2


@pytest.mark.slow
def test_of_a_grid_one_trial_fails_and_the_other_has_its_run(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    options = ("trainer.max_epochs=1", "launcher=joblib")
    brief = [each for each in small(*QUICK) if not each.startswith("tracking")]
    command = [
        *(sys.executable, str(ROOT / "train.py"), "-m", *brief, *options),
        *(f"hydra.sweep.dir={sweep}", f"data.source.folder=null,{tmp_path}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=200)
    assert done.returncode == 2
    assert "sweep: 1 of 2 trials failed; the first: " in done.stderr
    results = json.loads((sweep / "0" / "results.json").read_text())["test"]["gatv2_arma"]
    assert results["valve"]["rows"] == 440
    assert "PS1.txt: no such file" in (sweep / "1" / "trial.log").read_text()
    with (sweep / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["set"], row["state"]) for row in rows] == [
        ("data.source.folder=null", "complete"),
        (f"data.source.folder={tmp_path}", "failed"),
    ]
    assert float(rows[0]["val/head_loss"]) > 0
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlruns.db'}")
    runs = client.search_runs([client.get_experiment_by_name("hydrascope").experiment_id])
    parents = {run.data.tags.get(PARENT): run.info.run_name for run in runs}
    (parent,) = [run for run in runs if PARENT not in run.data.tags]
    assert parents == {None: parent.info.run_name, parent.info.run_id: "0"}


@pytest.mark.parametrize("split", [pytest.param("random", marks=pytest.mark.slow), "chronological"])
def test_the_other_splits_train(run_training: Train, split: str) -> None:
    run_dir = run_training(*QUICK, f"data.split.name={split}", "trainer.max_epochs=1")
    assert (run_dir / "results.json").exists()
