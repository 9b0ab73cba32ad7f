"""What makes a training bearable: it ends well when told to, and says what is wrong in one line."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from jobs import QUICK, Train
from lightning import Callback, LightningModule, Trainer

from hydrascope.experiment import fitting, learning_rate
from hydrascope.experiment.learning_rate import steepest
from hydrascope.schemas.errors import SpecError
from hydrascope.training.progress import clock
from hydrascope.training.watch import Watch

LONG = (*QUICK, "trainer.limit_train_batches=null", "trainer.max_epochs=3")
"""Three whole epochs, of 25 steps each."""

AddCallback = Callable[[Callback], None]


@pytest.fixture
def add_callback(monkeypatch: pytest.MonkeyPatch) -> AddCallback:
    """Have the next trainings call one more callback, before all others."""

    def add(callback: Callback) -> None:
        begin = fitting.Trainer

        def trainer(*args: object, callbacks: list[Callback], **options: object) -> Trainer:
            return begin(*args, callbacks=[callback, *callbacks], **options)

        monkeypatch.setattr(fitting, "Trainer", trainer)

    return add


def losses(run_dir: Path) -> pd.DataFrame:
    rows = pd.read_csv(run_dir / "metrics.csv", dtype=str).dropna(subset="epoch")
    columns = [name for name in rows if name.startswith("val/")]
    return rows.groupby(rows["epoch"].astype(int))[columns].first().dropna()


class Sigterm(Callback):
    """Sends this process SIGTERM, once: in a step of an epoch, or in its validation."""

    def __init__(self, *, epoch: int, step: int | None) -> None:
        self.epoch, self.step, self.sent = epoch, step, False

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        self._send(trainer.current_epoch == self.epoch and batch_idx == self.step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._send(trainer.current_epoch == self.epoch and self.step is None)

    def _send(self, now: bool) -> None:
        if now and not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def uninterrupted(run_training: Train) -> Path:
    return run_training(*LONG)


@pytest.mark.parametrize(
    ("epoch", "step", "resumed_epochs"),
    [
        pytest.param(1, 10, [1, 2], id="within an epoch"),
        pytest.param(1, 26, [2], id="in its last step", marks=pytest.mark.slow),
        pytest.param(0, None, [1, 2], id="in its validation", marks=pytest.mark.slow),
    ],
)
def test_sigterm_leaves_a_checkpoint_from_which_the_training_goes_on_as_if_nothing_was(
    epoch: int,
    step: int | None,
    resumed_epochs: list[int],
    uninterrupted: Path,
    run_training: Train,
    add_callback: AddCallback,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sigterm = Sigterm(epoch=epoch, step=step)
    add_callback(sigterm)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        run_training(*LONG)
    assert ended.value.code == 143
    assert sigterm.sent
    assert signal.getsignal(signal.SIGTERM) == handler
    (last,) = re.findall(r"resume=(\S+last.ckpt) and", capsys.readouterr().out)
    resumed, whole = losses(run_training(*LONG, f"resume={last}")), losses(uninterrupted)
    assert resumed.index.tolist() == resumed_epochs
    assert resumed.equals(whole.loc[resumed.index])


class Spoiler(Callback):
    """Makes one weight infinite when the second step begins, and remembers what came then."""

    def __init__(self) -> None:
        self.windows: list[int] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        if trainer.global_step == 1:
            self.windows = sorted(batch.window.tolist())
            with torch.no_grad():
                next(iter(pl_module.diagnoser.model.parameters())).fill_(torch.inf)


def test_a_gradient_that_is_no_number_stops_with_the_windows_of_the_batch(
    run_training: Train, add_callback: AddCallback
) -> None:
    spoiler = Spoiler()
    add_callback(spoiler)
    with pytest.raises(SpecError, match=r"gradient is nan at step 1 \(epoch 0\)") as error:
        run_training(*QUICK, "trainer.max_epochs=1")
    (listed,) = re.findall(r"zema: windows ([\d, ]+)\.", str(error.value))
    assert [int(window) for window in listed.split(", ")] == spoiler.windows
    assert "\n" not in str(error.value)


def test_a_gradient_that_is_noticed_later_is_noticed_before_anything_is_written(
    run_training: Train, add_callback: AddCallback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As on a GPU, which is not waited for at every step.
    monkeypatch.setattr(fitting, "Watch", lambda _every, *rest: Watch(50, *rest))
    spoiler = Spoiler()
    add_callback(spoiler)
    with pytest.raises(SpecError, match=r"gradient is nan at step 1 \(epoch 0\)") as error:
        run_training(*QUICK, "trainer.max_epochs=1", f"run_dir={tmp_path}")
    (listed,) = re.findall(r"zema: windows ([\d, ]+)\.", str(error.value))
    assert [int(window) for window in listed.split(", ")] == spoiler.windows
    assert not list(tmp_path.rglob("*.ckpt"))


class Greedy(Callback):
    """Asks for a petabyte."""

    def on_train_batch_start(self, *_: object) -> None:
        torch.empty(2**48)


def test_too_little_memory_is_one_line_with_what_to_lower(
    run_training: Train, add_callback: AddCallback
) -> None:
    add_callback(Greedy())
    with pytest.raises(SpecError, match="out of memory") as error:
        run_training(*QUICK, "trainer.max_epochs=1")
    assert "lower data.batch_size (now 64)" in str(error.value)
    assert "\n" not in str(error.value)


class Recorder(Callback):
    """Keeps the weights after each step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, np.ndarray]] = []
        self.norms: list[float] = []

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, *_: object
    ) -> None:
        squares = (
            float(p.grad.double().square().sum())
            for p in pl_module.parameters()
            if p.grad is not None
        )
        self.norms.append(sum(squares) ** 0.5)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        named = pl_module.named_parameters()
        self.weights.append({name: p.detach().double().numpy().copy() for name, p in named})


def test_the_kept_weights_are_the_moving_average_and_the_steps_are_watched(
    run_training: Train, add_callback: AddCallback, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder()
    add_callback(recorder)
    run_dir = run_training(*QUICK, "trainer.max_epochs=2", "optim.ema_decay=0.5")
    first, *later = recorder.weights
    assert len(later) == 5
    checkpoint = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    for name, average in first.items():
        for weights in later:
            average = 0.5 * average + 0.5 * weights[name]
        np.testing.assert_allclose(checkpoint["state_dict"][name], average, rtol=1e-4, atol=1e-6)

    watched = pd.read_csv(run_dir / "metrics.csv")
    norms = watched["train/gradient_norm"].dropna()
    np.testing.assert_allclose(norms, np.mean(np.reshape(recorder.norms, (2, 3)), 1), rtol=1e-5)
    assert (watched["train/graphs_per_s"].dropna() > 1).all()

    parameters = sum(p.size for p in first.values())
    assert f"{parameters:,} parameters; shapes for 4 windows" in capsys.readouterr().out


def test_few_windows_are_trained_and_validated_on_while_it_is_measured_where_the_time_goes(
    run_training: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fitting, "_peak_flops", lambda _hardware: 1e12)
    run_dir = run_training(
        *QUICK,
        "debug=overfit",
        "model.dropout=0",
        "trainer.max_epochs=6",
        "trainer.overfit_windows=12",
        "trainer.profiler=simple",
        "trainer.progress_bar=false",
        "optim.lr=0.02",
    )
    assert "12 train, 12 val, 440 test" in capsys.readouterr().out
    metrics = pd.read_csv(run_dir / "metrics.csv")
    losses = metrics["val/head_loss"].dropna()
    assert losses.iloc[-1] < losses.iloc[0]
    assert "training_step" in (run_dir / "fit-profile.txt").read_text()
    measured = metrics.dropna(subset="train/mfu")
    flops = 1e12 * measured["train/mfu"] / measured["train/graphs_per_s"]
    assert flops.max() - flops.min() < 1e-3 * flops.max()
    # Each of ten components goes through most weights, at one step at least: two operations each,
    # three times.
    record = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    weights = sum(each.numel() for name, each in record["state_dict"].items() if "weight" in name)
    assert flops.min() > 6 * weights


def test_a_learning_rate_is_found_without_a_training(
    run_training: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learning_rate, "STEPS", 25)
    run_dir = run_training(*QUICK, "lr_find=true", "trainer.limit_train_batches=null")
    (rate,) = re.findall(r"falls fastest at optim.lr=(\S+)", capsys.readouterr().out)
    assert 1e-5 < float(rate) < 1
    assert {path.name for path in run_dir.iterdir()} == {"lr_find.png"}


def test_the_steepest_place_is_that_of_the_logarithm_of_the_rates() -> None:
    rates = np.logspace(-6, 0, 100)
    losses = 1 / (1 + (rates / 3e-3) ** 2)  # over log(rates) an S, steepest in its middle
    best = steepest(rates, losses)
    assert best is not None
    assert rates[best] == pytest.approx(3e-3, rel=0.1)
    assert steepest(rates, 1 / losses) is None


def test_a_time_is_written_as_a_clock_shows_it() -> None:
    assert [clock(3.4), clock(61), clock(36_000)] == ["0:00:03", "0:01:01", "10:00:00"]
