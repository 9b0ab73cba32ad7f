"""A search by Optuna on the real rig, small: finishes, survives being killed, skips what fails.

Trials are drawn at random, and the seeds below are those whose draws the tests speak of.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from jobs import FEW_HELD_OUT, QUICK, ROOT, SMALL, train_settings
from mlflow import MlflowClient
from mlflow.entities import Run

from hydrascope.experiment import train
from hydrascope.experiment.job_settings import validate_train
from hydrascope.experiment.launch import launch
from hydrascope.tracking.destination import PARENT

# Each trial is a fresh process that imports everything: slow where others work too.
pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("forks")]

TINY = (
    *(each for each in SMALL if not each.startswith(("model.", "tracking"))),
    *QUICK,
    FEW_HELD_OUT,
    "trainer.max_epochs=3",
    "sweep.random_trials=9",
)
# The third trial has a hundredfold learning rate, and is stopped; with `KILLED` the last one, once
# the second was killed.
PRUNED = (
    "sweep.space={optim.lr:{low:0.001,high:1.0,log:true},optim.weight_decay:null,"
    "model.dropout:null,model.hidden_channels:{choices:[8,16]}}",
    "sweep.trials=3",
    "launcher.parallel=1",
    "sweep.pruning={startup_trials:2,warmup_epochs:0}",
    "sweep.seed=55",
)
KILLED = (*PRUNED, "sweep.seed=43")
# Five attention heads divide neither width: the second of three trials cannot even be composed.
FAILING = (
    "+sweep.space={optim.lr:{low:0.001,high:0.01,log:true},optim.weight_decay:null,"
    "model.dropout:null,model.hidden_channels:{choices:[8,16]},"
    "model.attention_heads:{choices:[4,5]}}",
    "sweep.trials=3",
    "launcher.parallel=2",
    "sweep.pruning=null",
    "sweep.seed=4",
    "+sweep.objectives={val/score:maximize}",
    "tracking=none",
)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as context:
        yield context


def sweep(folder: Path, patch: pytest.MonkeyPatch, *overrides: str) -> None:
    """Run the command in this process; only its trials import everything anew."""
    patch.chdir(folder)
    patch.setattr(sys, "argv", ["train.py", "-m", "sweep=tpe", *TINY, *overrides])
    launch("train", validate_train, "hydrascope.experiment.train", ROOT / "conf")


def found(folder: Path) -> Path:
    return folder / "outputs" / "sweep" / "tpe"


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{found(folder) / 'study.db'}"
    return optuna.load_study(study_name=None, storage=storage).get_trials()


def states(folder: Path) -> list[str]:
    return [trial.state.name for trial in trials(folder)]


def processes_of(folder: Path) -> list[int]:
    """Return the trials' processes, by the log that they write to."""
    running = []
    for output in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            log = output.readlink()
        except OSError:  # it has ended meanwhile
            continue
        if log.name == "trial.log" and folder in log.parents:
            running.append(int(output.parts[2]))
    return running


def wait_until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Path:
    """Return where a sweep of three trials ended."""
    folder = tmp_path_factory.mktemp("searched")
    sweep(folder, patch, *PRUNED)
    return folder


@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_what_it_was_at(
    tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    script = [sys.executable, str(ROOT / "train.py"), "-m", "sweep=tpe", *TINY, *KILLED]
    with (tmp_path / "first.log").open("wb") as log:
        first = subprocess.Popen(script, cwd=tmp_path, stdout=log, stderr=log)
    try:
        second = found(tmp_path) / "trials" / "0001" / "trial.log"
        wait_until(lambda: second.is_file() or first.poll() is not None)
        assert first.poll() is None, (tmp_path / "first.log").read_text()
        wait_until(lambda: bool(processes_of(tmp_path)))
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    wait_until(lambda: not processes_of(tmp_path))
    sweep(tmp_path, patch, *KILLED)
    assert states(tmp_path) == ["COMPLETE", "FAIL", "COMPLETE", "PRUNED"]
    _, broken_off, again, _ = trials(tmp_path)
    assert "error" not in broken_off.user_attrs
    assert again.params == broken_off.params
    # It was killed before it had a run.
    assert {run.info.run_name for run in runs(tmp_path)} >= {"0000", "0002", "0003"}
    assert "0001" not in {run.info.run_name for run in runs(tmp_path)}


def runs(folder: Path) -> list[Run]:
    """Return what MLflow has of a sweep in this folder."""
    client = MlflowClient(f"sqlite:///{folder / 'mlruns.db'}")
    experiment = client.get_experiment_by_name("hydrascope")
    return list(client.search_runs([experiment.experiment_id]))


def test_the_trials_are_below_one_run_with_their_metric(searched: Path) -> None:
    (parent,) = [run for run in runs(searched) if PARENT not in run.data.tags]
    below = {
        run.info.run_name: run
        for run in runs(searched)
        if run.data.tags.get(PARENT) == parent.info.run_id
    }
    assert states(searched) == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert set(below) == {"0000", "0001", "0002"}
    assert parent.info.status == "FINISHED"
    assert [below[name].info.status for name in sorted(below)] == ["FINISHED", "FINISHED", "KILLED"]
    assert all("val/head_loss" in run.data.metrics for run in below.values())
    best = min(trial.value for trial in trials(searched) if trial.state.name == "COMPLETE")
    assert parent.data.metrics["val/head_loss"] == pytest.approx(best)


@pytest.mark.parametrize("kind", ["grid", pytest.param("search", marks=pytest.mark.slow)])
def test_an_interrupted_sweep_ends_its_trials_and_is_one_line(kind: str, tmp_path: Path) -> None:
    given = {"grid": ["seed=1,2"], "search": ["sweep=tpe", "sweep.trials=2"]}[kind]
    folder = tmp_path / "sweep"
    small = [each for each in TINY if kind == "search" or not each.startswith("sweep.")]
    options = [*given, *small, "launcher.parallel=1", f"hydra.sweep.dir={folder}"]
    number = {"grid": signal.SIGTERM, "search": signal.SIGINT}[kind]
    with subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), "-m", *options],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: bool(processes_of(folder)) or process.poll() is not None)
        process.send_signal(number)
        _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    (line,) = (each for each in said.splitlines() if " INFO mlflow." not in each)
    assert line.startswith(f"train.py: interrupted; {folder}: ")
    assert ("the same command" if kind == "search" else "resume=") in line
    assert not processes_of(folder)
    assert "interrupted" in (folder / "summary.csv").read_text()
    assert {run.info.status for run in runs(tmp_path)} == {"KILLED"}


def test_the_value_of_a_trial_is_that_of_the_checkpoint_it_kept(searched: Path) -> None:
    header, *rows = (found(searched) / "trials" / "0000" / "metrics.csv").read_text().splitlines()
    column = header.split(",").index("val/head_loss")
    losses = [float(row.split(",")[column]) for row in rows if row.split(",")[column]]
    # The checkpoint is chosen by the same loss, so it is the least of all epochs.
    assert trials(searched)[0].value == pytest.approx(min(losses))


def test_the_best_file_trains_to_the_value_of_its_trial(searched: Path, tmp_path: Path) -> None:
    complete = [trial for trial in trials(searched) if trial.state.name == "COMPLETE"]
    best = min(complete, key=lambda trial: trial.value)
    there = f"hydra.searchpath=[file://{found(searched)}]"  # what --config-dir does
    quiet = ("baselines=false", "tracking=none", "trainer.progress_bar=false")
    train.run(train_settings(there, "experiment=best", *quiet, f"run_dir={tmp_path}"))
    again, before = (
        json.loads((folder / "results.json").read_text())["test"]
        for folder in (tmp_path, found(searched) / "trials" / f"{best.number:04d}")
    )
    assert again == before  # same seed, same machine


def test_the_summary_has_every_trial_and_the_pictures_are_drawn(searched: Path) -> None:
    _, *rows = (found(searched) / "summary.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows] == [state.lower() for state in states(searched)]
    for picture in ("parallel_coordinates", "importance"):
        assert (found(searched) / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_another_search_needs_another_name(
    searched: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        sweep(searched, patch, *PRUNED, "optim.schedule.final_fraction=0.5")
    assert capsys.readouterr().err.strip() == (
        "train.py: sweep.name: 'tpe' is a search that differs in optim.schedule.final_fraction; "
        "expected another name"
    )


def test_what_fails_is_recorded_and_skipped_with_several_objectives_and_processes(
    tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    sweep(tmp_path, patch, *FAILING)
    assert states(tmp_path) == ["COMPLETE", "FAIL", "COMPLETE"]
    first, failed, last = trials(tmp_path)
    assert "model.attention_heads: 5 is not accepted" in failed.user_attrs["error"]
    assert len(first.values) == len(last.values) == 2
    assert last.datetime_start < first.datetime_complete  # both at a time
    files = {file.name for file in (found(tmp_path) / "experiment").iterdir()}
    assert files
    assert files <= {"best_0.yaml", "best_2.yaml"}
    assert (found(tmp_path) / "parallel_coordinates_val_score.png").is_file()
    assert not (tmp_path / "mlruns.db").exists()
