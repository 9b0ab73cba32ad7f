"""The fit of `models.normality.operating`: what learned machines were asked to do."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.normality.operating import OperatingPoints
from hydrascope.tasks.alarm_thresholds import conformal_threshold

NEW_RATE = 0.01
"""The share of held-out windows that may be called a new operating point."""
LEAST_LIMIT = 0.1
"""In deviations of the learned windows: where machines always do exactly the same, a little beside
it is not new."""


@torch.no_grad()
def fit_operating(points: OperatingPoints, data: HydraulicDataModule) -> None:
    """Take the operating points of the training windows, and set the limit on the validation ones.

    The limit is the conformal (1 − `NEW_RATE`)-quantile of the distances of validation windows to
    learn from. What the split keeps together counts as one.
    """
    points.limit.fill_(torch.nan)
    build, value = _learned(points, data)
    for number in torch.unique(build[build >= 0]).tolist():
        points.adopt(number, value[build == number])
    distances, builds, windows = [], [], []
    for batch in data.learned_dataloader(data.split.val):
        distances.append(points.distance(batch.inputs).double())
        builds.append(points.build_of(batch.inputs))
        windows.append(batch.window)
    if not distances:
        return
    distance, of_build, window = (torch.cat(each).numpy() for each in (distances, builds, windows))
    unit: NDArray[np.int64] = data.units[window]
    for number in np.unique(of_build[of_build >= 0]).tolist():
        own = of_build == number
        limit = conformal_threshold(distance[own], NEW_RATE, unit[own])
        points.limit[number] = max(limit, LEAST_LIMIT) if limit == limit else torch.nan


def _learned(points: OperatingPoints, data: HydraulicDataModule) -> tuple[Tensor, Tensor]:
    """Return the builds and the operating points of the training windows with all covariates."""
    builds, values = [torch.empty(0, dtype=torch.int64)], [points.kept[0, :0]]
    for batch in data.learned_dataloader(data.split.train):
        value, observed = points.points(batch.inputs)
        build = points.build_of(batch.inputs)
        complete = observed.sum(1) == points.count[build.clamp(min=0)]
        builds.append(build[complete])
        values.append(value[complete])
    return torch.cat(builds), torch.cat(values)
