"""Trainings in which parts of the training windows are held out in turn, to set thresholds."""

from collections.abc import Callable
from pathlib import Path

import lightning
import numpy as np

from hydrascope.data.cross_parts import training_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import load_checkpoint
from hydrascope.experiment.fitting import LightningRun, Training
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.processes import is_first_process
from hydrascope.experiment.statistics import with_statistics
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.scored_windows import ScoredWindows, joined
from hydrascope.models.recipe import DiagnoserRecipe
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import read_checkpoint
from hydrascope.training.checkpoint_files import KeptCheckpoint
from hydrascope.training.closed_form import fit_closed_form, learned_rows
from hydrascope.training.fit_normality import scored
from hydrascope.training.interruption import EndOnSigterm
from hydrascope.training.module import DiagnosisModule

HELD_OUT = "held_out"
"""The file name of the checkpoint of such a training; it is removed at once."""


def check_cross_folds(settings: TrainSettings) -> None:
    """Refuse parts that are held out in turn if only a few windows are learned.

    Raises:
        SpecError: Names the keys and what is accepted.
    """
    few, normality = settings.trainer.overfit_windows, settings.task.normality
    if few and normality and normality.cross_folds:
        raise SpecError(
            f"trainer.overfit_windows: {few} is not accepted with "
            f"task.normality.cross_folds={normality.cross_folds}; accepted: null, or cross_folds=0"
        )


def scores_in_turn(
    run: LightningRun,
    make_module: Callable[[TensorDiagnoser], DiagnosisModule],
    recipe: DiagnoserRecipe,
    epochs: int,
    seed: int,
) -> dict[str, ScoredWindows] | None:
    """Return what training windows score by networks that have not learned from them.

    Statistics, weights and score of each part come from a training of its own without that part.
    A training that is interrupted here resumes at the first part.

    Args:
        run: The data, the settings and the folder of the training.
        make_module: Makes the Lightning module of a diagnoser.
        recipe: The diagnoser's recipe.
        epochs: Epochs of each training: those of the weights that were chosen.
        seed: Seed of each training.

    Returns:
        The scores by level; None in all processes but the first.

    Raises:
        SpecError: There are too few windows for so many parts, memory ran out, or a batch made the
            weights non-finite.
    """
    assert recipe.task.normality is not None
    data, found = run.data, []
    parts = training_parts(data, recipe.task.normality.cross_folds)
    for number, rows in enumerate(parts, start=1):
        run.console.print(f"Held out in turn: {len(rows)} windows, part {number} of {len(parts)}")
        lightning.seed_everything(seed, verbose=False)
        with data.learning_from(np.setdiff1d(data.split.train, rows)):
            module = make_module(with_statistics(recipe, data))
            kept = _kept(run, epochs)
            training = Training(epochs, [kept, EndOnSigterm(None)], loggers=[], validate=False)
            run.train(module, training)
        if is_first_process():
            file = Path(kept.best_model_path)
            found.append(scored(load_checkpoint(recipe, read_checkpoint(file)), data, rows))
            file.unlink()
    return joined(found) if found else None


def fits_in_turn(
    data: HydraulicDataModule, recipe: DiagnoserRecipe, seed: int
) -> dict[str, ScoredWindows]:
    """Return what training windows score by detectors that were not fitted to them.

    Raises:
        SpecError: There are too few windows for so many parts.
    """
    assert recipe.task.normality is not None
    found = []
    for rows in training_parts(data, recipe.task.normality.cross_folds):
        with data.learning_from(np.setdiff1d(data.split.train, rows)):
            diagnoser = with_statistics(recipe, data)
            fit_closed_form(diagnoser, data, learned_rows(data), seed)
        found.append(scored(diagnoser, data, rows))
    return joined(found)


def _kept(run: LightningRun, epochs: int) -> KeptCheckpoint:
    """Return the callback that keeps the last epoch."""
    return KeptCheckpoint(
        run.checkpoints,
        before=None,
        filename=HELD_OUT,
        monitor="step",
        mode="max",
        every_n_epochs=epochs,
        save_on_train_epoch_end=True,
    )
