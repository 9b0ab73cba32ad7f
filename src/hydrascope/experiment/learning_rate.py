"""The search for an initial learning rate: the one at which the loss falls fastest."""

import numpy as np
from lightning import Trainer
from lightning.pytorch.tuner.tuning import Tuner
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hydrascope.experiment.fitting import LightningRun
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import whole_file
from hydrascope.training.module import DiagnosisModule

STEPS = 100
LOWEST, HIGHEST = 1e-6, 1.0
_SKIPPED = 10
"""The number of first steps to skip, because their averages cover too few losses."""


def find_lr(run: LightningRun, module: DiagnosisModule) -> None:
    """Train some steps with an increasing learning rate, and print a good one.

    The method is that of L. N. Smith, "Cyclical Learning Rates for Training Neural Networks" (WACV
    2017). The losses are drawn into `lr_find.png` in the run's folder.

    Raises:
        SpecError: The loss fell at no learning rate.
    """
    run_dir = run.run_dir
    run_dir.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        accelerator=run.hardware.accelerator,
        devices=1,
        precision=run.hardware.precision,
        max_epochs=run.trainer.max_epochs,
        gradient_clip_val=run.trainer.gradient_clip_norm,
        deterministic=True,
        use_distributed_sampler=False,
        default_root_dir=run_dir,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    found = Tuner(trainer).lr_find(
        module,
        datamodule=run.data,
        min_lr=LOWEST,
        max_lr=HIGHEST,
        num_training=STEPS,
        update_attr=False,
    )
    assert found is not None
    rates, losses = (np.array(found.results[key], np.float64) for key in ("lr", "loss"))
    best = steepest(rates, losses)
    if best is None:
        raise SpecError(f"lr_find: the loss fell at no learning rate from {LOWEST} to {HIGHEST}")
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(rates, losses)
    axes.semilogx(rates[best], losses[best], "o")
    axes.set(xlabel="learning rate", ylabel="training loss, averaged")
    with whole_file(run_dir / "lr_find.png") as part:
        figure.savefig(part, dpi=120)
    run.console.print(
        f"The loss falls fastest at optim.lr={rates[best]:.2g} ({run_dir / 'lr_find.png'})",
        soft_wrap=True,
    )


def steepest(rates: NDArray[np.float64], losses: NDArray[np.float64]) -> int | None:
    """Return the index at which the loss falls fastest; None if it never falls.

    The slope is taken over the logarithm of the rates, which are evenly spaced in it. Over the
    rates themselves, as in Lightning, the smallest ones always look steepest.
    """
    usable = np.isfinite(losses)
    usable[:_SKIPPED] = False
    if usable.sum() < 2:
        return None
    slopes = np.full(len(losses), np.inf)
    slopes[usable] = np.gradient(losses[usable], np.log(rates[usable]))
    best = int(slopes.argmin())
    return best if slopes[best] < 0 else None
