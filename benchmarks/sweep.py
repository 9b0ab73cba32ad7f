"""A search on the rig that is killed in its middle and goes on; and what the platform costs.

`python -m benchmarks sweep --write` searches anew, in outputs/sweep_benchmark, trains the best
configuration again with other seeds, measures the overheads and writes the table into
docs/results.md.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import optuna
from hydra import compose, initialize_config_dir
from lightning import Trainer
from mlflow import MlflowClient
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import t as student

from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least, at_most
from hydrascope.experiment import train
from hydrascope.experiment.job_settings import validate_train
from hydrascope.tracking.delivery import Delivery
from hydrascope.tracking.destination import PARENT

OBJECTIVE = "val/head_loss"


class Budget(NamedTuple):
    """How much is searched: trials, two at a time, their epochs, and the seeds of the best one."""

    trials: int = 12
    epochs: int = 8
    seeds: tuple[int, ...] = (43, 44, 45)
    overrides: tuple[str, ...] = ()
    """Of every training."""
    folder: Path = ROOT / "outputs" / "sweep_benchmark"

    @property
    def found(self) -> Path:
        """Folder of the search."""
        return self.folder / "outputs" / "sweep" / "tpe"

    @property
    def store(self) -> Path:
        """Folder of the computed windows."""
        return self.folder / "outputs" / "store"


DEFAULT = Budget()


def run(budget: Budget = DEFAULT) -> list[Row]:
    """Search, be killed, go on, train the best one again; a row for each thing that must hold."""
    shutil.rmtree(budget.folder, ignore_errors=True)
    budget.folder.mkdir(parents=True)
    return [*_search(budget), *_in_mlflow(budget), *_trained_again(budget), *_overheads(budget)]


def write(budget: Budget = DEFAULT) -> Path:
    """Measure and write the table."""
    rows = run(budget)
    lines = [
        f"{budget.trials} trials of {budget.epochs} epochs, two at a time, of `experiment=zema`; "
        "the search's process is killed (SIGKILL) in the middle and started again "
        "by the same command. `python -m benchmarks sweep --write`.",
        "",
        "| measured | value | goal |",
        "|---|---|---|",
    ]
    for row in rows:
        sign = "≥" if row["better"] == "higher" else "≤"
        goal = (
            ""
            if row["goal"] is None
            else f"{sign} {row['goal']:g}" + " **missed**" * (not row["ok"])
        )
        lines.append(f"| {row['name']} | {row['value']:.4g} {row['unit']} | {goal} |")
    path = ROOT / "docs" / "results.md"
    replace_section(path, "sweep", "\n".join(lines))
    return path


def _search(budget: Budget) -> list[Row]:
    """Search with a SIGKILL in the middle."""
    started = time.perf_counter()
    with (budget.folder / "first.log").open("wb") as log:
        first = subprocess.Popen(_command(budget), cwd=budget.folder, stdout=log, stderr=log)
    try:
        _wait(lambda: first.poll() is not None or _half_done(budget))
        if first.poll() is not None:
            raise RuntimeError(f"the search ended by itself: see {budget.folder / 'first.log'}")
    finally:
        first.kill()
        first.wait()
    with (budget.folder / "second.log").open("wb") as log:
        subprocess.run(_command(budget), cwd=budget.folder, stdout=log, stderr=log, check=True)
    seconds = time.perf_counter() - started
    trials = _trials(budget)
    ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    broken_off = [t for t in trials if t.state == TrialState.FAIL and "error" not in t.user_attrs]
    pruned = [t for t in trials if t.state == TrialState.PRUNED]
    return [
        at_least("trials that ended well, those pruned too", len(ended), "", budget.trials),
        at_most("of them pruned", len(pruned), ""),
        at_least("broken off by the SIGKILL, and tried again", len(broken_off), "", 1),
        at_most("time of the search, with both starts", seconds / 60, "min"),
        at_most(
            "files of the graph store written after the third trial began", _late(budget), "", 0
        ),
    ]


def _in_mlflow(budget: Budget) -> list[Row]:
    client = MlflowClient(f"sqlite:///{budget.folder / 'mlruns.db'}")
    experiment = client.get_experiment_by_name("hydrascope")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if PARENT not in run.data.tags]
    below = {
        run.info.run_name
        for run in runs
        if run.data.tags.get(PARENT) == parents[0].info.run_id and OBJECTIVE in run.data.metrics
    }
    ended = [t for t in _trials(budget) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    missing = [t for t in ended if f"{t.number:04d}" not in below]
    return [
        at_most("MLflow runs without a parent", len(parents), "", 1),
        at_most("trials that ended well without a metric below it", len(missing), "", 0),
    ]


def _trained_again(budget: Budget) -> list[Row]:
    """Train the best file with the seed of its trial, and with others."""
    best = min((t for t in _trials(budget) if t.state == TrialState.COMPLETE), key=_value)
    same, *others = (_train_best(budget, seed) for seed in (42, *budget.seeds))
    mean, spread = statistics.mean(others), statistics.stdev(others)
    # Where one more training lies with a probability of 95 %, if it is like the others.
    reach = student.ppf(0.975, len(others) - 1) * spread * (1 + 1 / len(others)) ** 0.5
    return [
        at_most("value of the best trial", _value(best), ""),
        at_most("its file with the same seed: difference", abs(same - _value(best)), "", 1e-6),
        at_most(f"its file with seeds {', '.join(map(str, budget.seeds))}: mean", mean, ""),
        at_most("their standard deviation", spread, ""),
        at_most(
            "distance of the trial from their mean, in halves of the 95 % prediction interval",
            abs(_value(best) - mean) / reach,
            "",
            1,
        ),
    ]


def _train_best(budget: Budget, seed: int) -> float:
    folder = budget.folder / f"best_seed{seed}"
    command = [
        *(sys.executable, str(ROOT / "train.py"), "--config-dir", str(budget.found)),
        *("experiment=best", f"seed={seed}", f"run_dir={folder}", "tracking=none"),
        *("baselines=false", "trainer.progress_bar=false"),
    ]
    with (budget.folder / f"best_seed{seed}.log").open("wb") as log:
        subprocess.run(command, cwd=budget.folder, stdout=log, stderr=log, check=True)
    header, *rows = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()
    column = header.split(",").index(OBJECTIVE)
    # The checkpoint is chosen by the objective, so its value is the least of all epochs.
    return min(float(row.split(",")[column]) for row in rows if row.split(",")[column])


def _overheads(budget: Budget) -> list[Row]:
    """Measure what a user waits for before a training, and for tracking within one."""
    validate = [sys.executable, "-m", "hydrascope", "config", "validate", "experiment=zema"]
    times = [_processor_time_s(validate) for _ in range(5)]
    spent = _tracked(budget)
    share = 100 * spent["epochs"] / spent["training"]
    return [
        at_most("composing and validating, a fresh process", statistics.median(times), "s", 1.5),
        at_most("opening a run in MLflow (SQLite, made anew)", spent["opening"], "s"),
        at_most("tracking by it afterwards, share of the training's time", share, "%", 3),
    ]


def _processor_time_s(command: Sequence[str]) -> float:
    """Return the time that a process of its own spends, imports included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _tracked(budget: Budget) -> dict[str, float]:
    """Return the seconds that a training spends in its tracker, at first and then, and in all."""
    spent = {"opening": 0.0, "epochs": 0.0, "training": 0.0}

    def timed(
        key: Callable[[dict[str, Any]], str], function: Callable[..., Any]
    ) -> Callable[..., Any]:
        def call(owner: Any, subject: Any, *arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(owner, subject, *arguments, **options)
            finally:
                spent[key(subject)] += time.perf_counter() - start

        return call

    def when(entry: dict[str, Any]) -> str:
        return "opening" if entry["kind"] in ("open", "params") else "epochs"

    overrides = [
        *("experiment=zema", f"trainer.max_epochs={budget.epochs}"),
        *("baselines=false", "trainer.progress_bar=false", *budget.overrides),
        f"tracking.mlflow.uri=sqlite:///{budget.folder / 'tracked.db'}",
        *(f"run_dir={budget.folder / 'tracked'}", f"data.store.folder={budget.store}"),
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", overrides), resolve=True)
    with (
        patch.object(Delivery, "put", timed(when, Delivery.put)),
        patch.object(Trainer, "fit", timed(lambda _: "training", Trainer.fit)),
        (budget.folder / "tracked.log").open("w", encoding="utf-8") as log,
        redirect_stdout(log),
    ):
        train.run(validate_train(config))
    return spent


def _command(budget: Budget) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "train.py"), "-m", "experiment=zema", "sweep=tpe"),
        *(f"sweep.trials={budget.trials}", "launcher.parallel=2"),
        *(f"trainer.max_epochs={budget.epochs}", *budget.overrides),
    ]


def _trials(budget: Budget) -> list[FrozenTrial]:
    storage = f"sqlite:///{budget.found / 'study.db'}"
    return optuna.load_study(study_name=None, storage=storage).get_trials()


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def _half_done(budget: Budget) -> bool:
    """Whether half of the trials have ended and another one trains."""
    if not (budget.found / "study.db").is_file():
        return False
    trials = _trials(budget)
    ended = sum(t.state.is_finished() for t in trials)
    training = [t for t in trials if t.state == TrialState.RUNNING and t.intermediate_values]
    return ended >= budget.trials // 2 and bool(training)


def _late(budget: Budget) -> int:
    """Count the store's files that were written after the third trial began."""
    began = (budget.found / "trials" / "0002" / "settings.json").stat().st_mtime
    files = [file for file in budget.store.rglob("*") if file.is_file() and file.suffix != ".lock"]
    if not files:
        raise RuntimeError(f"no store in {budget.store}")
    return sum(file.stat().st_mtime > began for file in files)


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.5)
