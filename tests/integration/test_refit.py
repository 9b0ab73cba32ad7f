"""The last part of a training learns from the validation windows too."""

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from jobs import QUICK, Train
from lightning import Callback, LightningModule, Trainer

from hydrascope.data.batch import TrainingBatch
from hydrascope.experiment import fitting
from hydrascope.experiment.restore import restore
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import Checkpoint, read_checkpoint

SHORT = (*QUICK, "trainer.limit_train_batches=null", "trainer.max_epochs=1")
REFITTED = (*SHORT, "trainer.refit_fraction=1")


class Spy(Callback):
    """Notes the windows that are trained on once nothing is validated, and may send SIGTERM."""

    def __init__(self, *, kill: bool = False) -> None:
        self.kill, self.windows = kill, set[int]()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: TrainingBatch, batch_idx: int
    ) -> None:
        if trainer.limit_val_batches != 0:
            return
        self.windows.update(batch.window.tolist())
        if self.kill and batch_idx == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def watched(monkeypatch: pytest.MonkeyPatch, spy: Spy) -> Spy:
    begin = fitting.Trainer

    def trainer(*args: object, callbacks: list[Callback], **options: object) -> Trainer:
        return begin(*args, callbacks=[spy, *callbacks], **options)

    monkeypatch.setattr(fitting, "Trainer", trainer)
    return spy


@pytest.fixture(scope="module")
def plain(run_training: Train) -> Path:
    return run_training(*SHORT)


class Refitted(NamedTuple):
    run_dir: Path
    windows: set[int]
    """Those that were trained on once nothing was validated."""


@pytest.fixture(scope="module")
def refitted(run_training: Train) -> Refitted:
    with pytest.MonkeyPatch.context() as patch:
        spy = watched(patch, Spy())
        return Refitted(run_training(*REFITTED), spy.windows)


def of(run_dir: Path) -> Checkpoint:
    return read_checkpoint(run_dir / "checkpoints" / "best.ckpt")


def test_all_windows_but_the_tested_are_learned_from_and_the_calibration_stays(
    plain: Path, refitted: Refitted
) -> None:
    split = restore(str(refitted.run_dir / "checkpoints" / "best.ckpt")).data.split
    assert refitted.windows == {*split.train.tolist(), *split.val.tolist()}
    before, after = of(plain), of(refitted.run_dir)
    assert after.calibration == before.calibration
    assert any(not torch.equal(before.weights[name], after.weights[name]) for name in after.weights)
    results = [
        json.loads((each / "results.json").read_text()) for each in (plain, refitted.run_dir)
    ]
    assert results[0]["best_epoch"] == results[1]["best_epoch"] == 0
    assert results[0]["test"] != results[1]["test"]


@pytest.mark.slow
def test_a_training_that_ends_within_it_has_its_best_weights_and_goes_on(
    plain: Path,
    refitted: Refitted,
    run_training: Train,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spy = watched(monkeypatch, Spy(kill=True))
    # Some libraries leave a handler that exits at once; Lightning calls it behind its own.
    handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with pytest.raises(SystemExit) as ended:
            run_training(*REFITTED, f"run_dir={tmp_path}")
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert ended.value.code == 143
    assert all(
        torch.equal(value, of(tmp_path).weights[name]) for name, value in of(plain).weights.items()
    )
    assert of(tmp_path).calibration == of(plain).calibration
    (last,) = re.findall(r"resume=(\S+last.ckpt) and", capsys.readouterr().out)
    spy.kill = False
    resumed, whole = of(run_training(*REFITTED, f"resume={last}")), of(refitted.run_dir)
    assert all(torch.equal(value, resumed.weights[name]) for name, value in whole.weights.items())


def test_it_is_refused_where_thresholds_are_set_on_windows_not_learned_from(
    run_training: Train,
) -> None:
    with pytest.raises(
        SpecError, match=r"refit_fraction: 0.5 is not accepted with task\.normality"
    ):
        run_training("+task.normality={healthy: {pump: 0}}", "trainer.refit_fraction=0.5")


def test_a_refit_with_weights_of_single_sensors_is_refused(run_training: Train) -> None:
    keys = ("experiment=fleet_unseen_kind", "model.row_own=true", "trainer.refit_fraction=0.5")
    with pytest.raises(SpecError, match=r"refit_fraction: 0.5 is not accepted with model\.row_own"):
        run_training(*keys)
