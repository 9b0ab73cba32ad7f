"""Fits in which parts of the training windows are held out in turn, to set thresholds."""

import numpy as np

from hydrascope.data.cross_parts import training_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.statistics import with_statistics
from hydrascope.models.normality.scored_windows import ScoredWindows, joined
from hydrascope.models.recipe import DiagnoserRecipe, detector_recipe
from hydrascope.schemas.errors import SpecError
from hydrascope.training.closed_form import fit_closed_form, learned_rows
from hydrascope.training.fit_normality import scored


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


def fits_in_turn(
    data: HydraulicDataModule, recipe: DiagnoserRecipe, seed: int
) -> dict[str, ScoredWindows]:
    """Return what training windows score by detectors that were not fitted to them.

    Normalisation and detector are those of `recipe`, fitted without each part in turn.

    Raises:
        SpecError: There are too few windows for so many parts.
    """
    assert recipe.task.normality is not None
    found = []
    for rows in training_parts(data, recipe.task.normality.cross_folds):
        with data.learning_from(np.setdiff1d(data.split.train, rows)):
            diagnoser = with_statistics(detector_recipe(recipe), data)
            fit_closed_form(diagnoser, data, learned_rows(data), seed)
        found.append(scored(diagnoser, data, rows))
    return joined(found)
