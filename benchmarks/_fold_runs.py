"""The trainings of the rig's folds, each a process of one thread; what is there is not repeated."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

from benchmarks import _missing
from benchmarks._document import ROOT

FOLDS = 5
NETWORK = "gatv2_arma"


class Plan(NamedTuple):
    """What is trained and where it is kept."""

    runs: Path
    seeds: Sequence[int]
    folds: Sequence[int]
    epochs: int | None
    """None: as many as `experiment=zema` has."""

    def run_dir(self, seed: int, fold: int) -> Path:
        """Return the folder of a run."""
        return self.runs / f"seed{seed}_fold{fold}"

    @property
    def command(self) -> str:
        """What is typed for it."""
        given = ["python -m benchmarks.zema_folds --seeds", *map(str, self.seeds)]
        if len(self.folds) < FOLDS:
            given += ["--folds", *map(str, self.folds)]
        if self.epochs is not None:
            given += ["--epochs", str(self.epochs)]
        return " ".join(given)


def train_all(plan: Plan, processes: int) -> None:
    """Train and judge each seed and fold that has not been, so many at a time.

    Raises:
        subprocess.CalledProcessError: One failed; the others are brought to their end first.
    """
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(lambda each: train(plan, *each), product(plan.seeds, plan.folds)))


def train(plan: Plan, seed: int, fold: int) -> None:
    """Train one seed and fold, unless done; judge the first seed with sensors missing, too."""
    run_dir, first = plan.run_dir(seed, fold), seed == plan.seeds[0]
    run_dir.mkdir(parents=True, exist_ok=True)
    if not (run_dir / "results.json").exists():
        shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)  # of one that was interrupted
        overrides = [
            "experiment=zema",
            f"run_dir={run_dir}",
            f"hydra.run.dir={run_dir}",
            f"data.fold={fold}",
            f"seed={seed}",
            f"baselines={str(first).lower()}",
            "hardware.threads=1",
            "tracking=none",
            "trainer.progress_bar=false",
        ]
        if plan.epochs is not None:
            overrides.append(f"trainer.max_epochs={plan.epochs}")
        _run("train.py", *overrides, log=run_dir / "train.log")
    if first and not {NETWORK, _missing.DISCRIMINANT} <= _missing.measured(run_dir).keys():
        _run("-m", "benchmarks._missing", str(run_dir), log=run_dir / "missing.log")
    print(f"seed {seed}, fold {fold}: done", file=sys.stderr, flush=True)


def _run(*command: str, log: Path) -> None:
    """Run Python in a process of one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("w", encoding="utf-8") as output:
        subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )


def slow_baselines(run_dir: Path) -> None:
    """Fit the slow baselines on the split of a run, those that have not been."""
    from benchmarks._slow_baselines import ON_SAMPLES, SLOW_BASELINES
    from hydrascope.evaluation.baselines import baseline_predictions
    from hydrascope.evaluation.report import head_metrics, write_json
    from hydrascope.experiment.restore import restore

    path = run_dir / "slow_baselines.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if metrics.keys() >= SLOW_BASELINES.keys():
        return
    settings, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    for name, baseline in SLOW_BASELINES.items():
        if name in metrics:
            continue
        try:
            predictions = baseline_predictions(
                baseline,
                data.dataset.machines,
                data.split,
                diagnoser.heads,
                diagnoser.normalizer,
                data.units,
                settings.seed,
                settings.features.patch_count if name in ON_SAMPLES else 0,
            )
        except ModuleNotFoundError as error:
            print(f"{name} is left out: {error}; it comes with the extra bench", file=sys.stderr)
            continue
        metrics[name] = head_metrics(diagnoser.heads, predictions)
        write_json(path, metrics)
