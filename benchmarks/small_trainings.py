"""Measure the time that a small training takes beside its own work, as a trial of a grid.

`python -m benchmarks small_trainings --write` runs trials of the rig in processes that are forked
as `train.py -m` forks them, and writes the table into docs/results.md. The work of a training is
fit, calibration and test. All else is overhead: checks, opening the store, trackers, files, and
imports that are left. Times are those of the processor, so that a busy machine disturbs them less.
"""

import json
import multiprocessing
import shutil
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks._document import ROOT, how_measured, write_rows
from benchmarks._rows import Row, at_most
from hydrascope.experiment.importing import JOB_IMPORTS
from hydrascope.experiment.job_settings import TrainSettings, validate_train

OVERRIDES = (
    "experiment=zema",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=3",
    "trainer.progress_bar=false",
    "model.hidden_channels=16",
    "model.row_channels=0",
    "hardware.threads=1",
    "baselines=false",
)
GOAL_S = 3.0


class Size(NamedTuple):
    """The number of trials. One more comes first: it computes the store and the database."""

    trials: int = 5
    folder: Path = ROOT / "outputs" / "small_trainings"


DEFAULT = Size()


def run(size: Size = DEFAULT) -> list[Row]:
    """Train one trial after the other; medians."""
    shutil.rmtree(size.folder, ignore_errors=True)
    size.folder.mkdir(parents=True)
    found = [_trial(size.folder, seed) for seed in range(size.trials + 1)][1:]
    whole_s, work_s = (statistics.median(each[key] for each in found) for key in ("whole", "work"))
    overhead_s = statistics.median(each["whole"] - each["work"] for each in found)
    return [
        at_most("processor time of a trial", whole_s, "s"),
        at_most("of it fit, calibration and test", work_s, "s"),
        at_most("overhead of a trial", overhead_s, "s", GOAL_S),
    ]


def write(size: Size = DEFAULT) -> Path:
    """Measure and write the table."""
    note = (
        f"Trials of `{' '.join(OVERRIDES)}`, recorded by MLflow, forked as `train.py -m` forks "
        f"them; medians of {size.trials}. {how_measured('small_trainings')}"
    )
    return write_rows("small trainings", run(size), note)


def _trial(folder: Path, seed: int) -> dict[str, float]:
    """Return the processor time of a trial and of its work, in seconds."""
    places = (
        f"run_dir={folder / str(seed)}",
        f"data.store.folder={folder / 'store'}",
        f"tracking.mlflow.uri=sqlite:///{folder / 'mlruns.db'}",
    )
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("train", [*OVERRIDES, *places, f"seed={seed}"])
    settings = validate_train(OmegaConf.to_container(composed, resolve=True))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([JOB_IMPORTS])
    times = folder / f"{seed}.json"
    process = context.Process(target=_measured, args=(settings, times))
    process.start()
    process.join()
    found: dict[str, float] = json.loads(times.read_text(encoding="utf-8"))
    return found


def _measured(settings: TrainSettings, times: Path) -> None:
    """Run a trial in this process, which has just been forked, and write its times."""
    start = time.process_time()
    from lightning import Trainer

    from hydrascope.experiment import train, training_job

    work = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal work
            began = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                work += time.process_time() - began

        return call

    with ExitStack() as stack:
        for owner, name in (
            (Trainer, "fit"),
            (training_job, "fit_last"),
            (training_job, "test"),
        ):
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name))))
        log = stack.enter_context(times.with_suffix(".log").open("w", encoding="utf-8"))
        stack.enter_context(redirect_stdout(log))
        train.run(settings)
    found = {"whole": time.process_time() - start, "work": work}
    times.write_text(json.dumps(found), encoding="utf-8")
