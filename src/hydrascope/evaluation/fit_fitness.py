"""The fit of `models.fitness` after a training."""

import numpy as np

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.fit_reliability import fit_reliability
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.fitness.screening import Fitness
from hydrascope.training.fit_plausibility import fit_plausibility


def fit_fitness(diagnoser: TensorDiagnoser, data: HydraulicDataModule, seed: int) -> Fitness:
    """Fit the fitness of a trained, calibrated diagnoser's inputs.

    Args:
        diagnoser: Trained without the validation windows.
        data: The data that it was trained on.
        seed: Decides which windows are used.
    """
    fitness = Fitness(data.input_spec, data.task.heads)
    train, val = data.split.train, data.split.val
    # Reliability is judged with statistics that do not know the windows that it is fitted on.
    fit_plausibility(fitness.plausibility, data, train, seed)
    fit_reliability(diagnoser, fitness, data, seed)
    fit_plausibility(fitness.plausibility, data, np.concatenate([train, val]), seed)
    return fitness
