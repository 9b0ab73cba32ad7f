"""A search by Optuna on the real rig, small: finishes, survives being killed, skips what fails."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from jobs import ROOT, SMALL
from mlflow import MlflowClient

from hydrascope.tracking.loggers import PARENT

# Each trial is a fresh process that imports everything: slow where others work too.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TINY = (
    *(each for each in SMALL if not each.startswith(("readout.", "model.", "tracking"))),
    "readout=heads",
    "data.window.steps=2",
    "features.patch=false",
    "model.spatial_layers=1",
    "model.cross_task=none",
    "trainer.max_epochs=2",
    "sweep.random_trials=2",
    "sweep.pruning.warmup_epochs=0",
)
# attention_heads=5 divides neither width: that trial cannot even be composed.
SPACE = (
    "sweep.space={optim.lr:{low:0.001,high:0.01,log:true},optim.weight_decay:null,"
    "model.dropout:null,model.hidden_channels:{choices:[8,16]}HEADS}"
)


def command(*overrides: str, heads: str = "") -> list[str]:
    script = [sys.executable, str(ROOT / "train.py"), "-m", "sweep=tpe"]
    return [*script, *TINY, SPACE.replace("HEADS", heads), *overrides]


def sweep(folder: Path, *overrides: str, heads: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*overrides, heads=heads), capture_output=True, text=True, cwd=folder, timeout=800
    )


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{folder / 'outputs' / 'sweep' / 'tpe' / 'study.db'}"
    return optuna.load_study(study_name=None, storage=storage).get_trials()


def processes_of(folder: Path) -> list[int]:
    """Return the trials' processes, by the settings file in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if b"sweep.trial" in line and str(folder).encode() in line:
            found.append(int(entry.parent.name))
    return found


def wait_until(condition: object, seconds: float = 120.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where a sweep was killed while its second trial ran, and then continued."""
    folder = tmp_path_factory.mktemp("killed")
    running = folder / "outputs" / "sweep" / "tpe" / "trials" / "0001" / "settings.json"
    with (folder / "first.log").open("wb") as log:
        first = subprocess.Popen(
            command("sweep.trials=3", "sweep.parallel=1"), cwd=folder, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: running.is_file() or first.poll() is not None, 300)
        assert first.poll() is None, (folder / "first.log").read_text()
        assert processes_of(folder)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    wait_until(lambda: not processes_of(folder))
    done = sweep(folder, "sweep.trials=3", "sweep.parallel=1")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_killed_sweep_goes_on_with_what_it_was_at(killed: Path) -> None:
    first, broken_off, again, last = trials(killed)
    assert broken_off.state.name == "FAIL"
    assert "error" not in broken_off.user_attrs
    assert again.params == broken_off.params
    assert all(t.state.name in ("COMPLETE", "PRUNED") for t in (first, again, last))
    assert len({str(t.params) for t in (first, again, last)}) == 3


def test_the_trials_are_below_one_run_with_their_metric(killed: Path) -> None:
    client = MlflowClient(f"sqlite:///{killed / 'mlruns.db'}")
    experiment = client.get_experiment_by_name("hydrascope")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if PARENT not in run.data.tags]
    below = [run for run in runs if run.data.tags.get(PARENT) == parent.info.run_id]
    assert len(below) == len(runs) - 1
    assert all(run.info.status != "RUNNING" for run in runs)
    logged = {run.info.run_name: run.data.metrics for run in below}
    complete = [t for t in trials(killed) if t.state.name == "COMPLETE"]
    for trial in complete:
        assert "val/head_loss" in logged[f"{trial.number:04d}"]
    best = min(trial.value for trial in complete)
    assert parent.data.metrics["val/head_loss"] == pytest.approx(best)


def test_the_value_of_a_trial_is_that_of_the_checkpoint_it_kept(killed: Path) -> None:
    trial = next(t for t in trials(killed) if t.state.name == "COMPLETE")
    folder = killed / "outputs" / "sweep" / "tpe" / "trials" / f"{trial.number:04d}"
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    column = header.split(",").index("val/head_loss")
    losses = [float(row.split(",")[column]) for row in rows if row.split(",")[column]]
    # The checkpoint is chosen by the same loss, so it is the least of all epochs.
    assert trial.value == pytest.approx(min(losses))


def test_the_best_file_trains_to_the_value_of_its_trial(killed: Path) -> None:
    found = killed / "outputs" / "sweep" / "tpe"
    best = min((t for t in trials(killed) if t.value is not None), key=lambda t: t.value)
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "train.py"), "--config-dir", str(found)),
            *("experiment=best", "baselines=false", "tracking=none", "run_dir=again"),
        ],
        capture_output=True,
        text=True,
        cwd=killed,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    results = [
        json.loads((folder / "results.json").read_text())["test"]
        for folder in (killed / "again", found / "trials" / f"{best.number:04d}")
    ]
    assert results[0]["network"] == results[1]["network"]  # same seed, same machine
    assert (found / "summary.csv").read_text().count("\n") == 1 + len(trials(killed))
    for picture in ("parallel_coordinates", "importance"):
        assert (found / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_another_search_needs_another_name(killed: Path) -> None:
    done = sweep(killed, "optim.schedule.final_fraction=0.5")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "train.py: sweep.name: 'tpe' is a search that differs in optim.schedule.final_fraction; "
        "expected another name"
    )


def test_what_fails_is_recorded_and_skipped_with_several_objectives_and_processes(
    tmp_path: Path,
) -> None:
    done = sweep(
        tmp_path,
        "tracking=none",
        "sweep.trials=4",
        "sweep.parallel=2",
        "sweep.pruning=null",
        "+sweep.objectives={val/score:maximize}",
        heads=",model.attention_heads:{choices:[4,5]}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = trials(tmp_path)
    assert len(found) == 4
    for trial in found:
        if trial.params["model.attention_heads"] == 5:
            assert trial.state.name == "FAIL"
            assert "model.attention_heads: 5 is not accepted" in trial.user_attrs["error"]
        else:
            assert len(trial.values) == 2
    assert {trial.state.name for trial in found} == {"FAIL", "COMPLETE"}
    files = (tmp_path / "outputs" / "sweep" / "tpe" / "experiment").glob("best_*.yaml")
    assert list(files)
    assert not (tmp_path / "mlruns.db").exists()
