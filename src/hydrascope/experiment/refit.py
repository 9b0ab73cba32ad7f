"""The last part of a training: refitting on the training and validation windows together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from hydrascope.experiment.assemble import load_checkpoint
from hydrascope.experiment.fitting import BEST, LightningRun, Training
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.processes import is_first_process
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.recipe import DiagnoserRecipe
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import read_checkpoint, write_fitted
from hydrascope.training.checkpoint_files import KeptCheckpoint
from hydrascope.training.interruption import EndOnSigterm
from hydrascope.training.module import DiagnosisModule


def check_refit(settings: TrainSettings) -> None:
    """Refuse a refit if the validation windows must stay held out, or the network must stay.

    Raises:
        SpecError: Names the key and what is accepted.
    """
    fraction = settings.trainer.refit_fraction
    if fraction and settings.task.normality:
        raise SpecError(
            f"trainer.refit_fraction: {fraction} is not accepted with task.normality, whose "
            "thresholds are set on windows that are not learned from; accepted: null"
        )
    if fraction and settings.model.keys.get("row_own"):
        raise SpecError(
            f"trainer.refit_fraction: {fraction} is not accepted with model.row_own, whose weights "
            "are fitted to all windows after the training; accepted: null"
        )


def refit(
    run: LightningRun,
    make_module: Callable[[TensorDiagnoser], DiagnosisModule],
    recipe: DiagnoserRecipe,
    fraction: float,
    best: str,
) -> str:
    """Train the best weights further, also on the validation windows; return the checkpoint's path.

    By then the validation windows have served their purpose: they selected and calibrated the
    weights. The calibration is kept. A training that is interrupted here resumes at the start of
    the refit.

    Args:
        run: The data, the settings and the folder of the training.
        make_module: Makes the Lightning module of a diagnoser.
        recipe: The diagnoser's recipe.
        fraction: Number of epochs as a fraction of the training's epochs. The learning rate warms
            up and decays once more.
        best: Path of the best checkpoint, calibrated; it is replaced at the end.

    Raises:
        SpecError: Memory ran out, or a batch made the weights non-finite.
    """
    chosen, epochs = read_checkpoint(best), max(1, round(fraction * run.trainer.max_epochs))
    diagnoser = load_checkpoint(recipe, replace(chosen, calibration=None)).train()
    kept = KeptCheckpoint(
        run.checkpoints,
        before=None,
        filename="refitted",
        monitor="step",
        mode="max",
        every_n_epochs=epochs,
        save_on_train_epoch_end=True,
    )
    training = Training(epochs, [kept, EndOnSigterm(None)], loggers=[], validate=False)
    split = run.data.split
    with run.data.learning_from(np.union1d(split.train, split.val)):
        run.console.print(
            f"Refitting on all {len(run.data.split.train)} windows of training and validation, "
            f"{epochs} epochs"
        )
        run.train(make_module(diagnoser), training)
    refitted = run.checkpoints / BEST
    if is_first_process():
        write_fitted(kept.best_model_path, {}, chosen.calibration)
        Path(kept.best_model_path).replace(refitted)
    return str(refitted)
