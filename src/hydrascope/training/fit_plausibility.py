"""The fit of `models.fitness.Plausibility` on windows that the model may know.

Shapes: as in `models.fitness.plausibility`.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.fitness.conditionals import QUANTILES, Conditionals, Fitted
from hydrascope.models.fitness.plausibility import Plausibility
from hydrascope.models.fitness.summary import Summaries

_WINDOWS = 20_000
"""The most windows that are used; of more, so many are drawn."""
_FEWEST = 50
"""The fewest windows of a build; with fewer, nothing of the build is judged."""
_FOLDS = 5
_MARGIN = 1.5
"""The limit, as a multiple of the largest distance of a held-out window."""
_USUAL, _LEAST_USUAL = 0.98, 0.01
"""The share of held-out windows in which the distance of a sensor is usual, and the least value."""
_SHRINKAGE = 0.1
"""The value λ added to every variance of the standardised summaries."""
_LEAST_SCALE = 0.05
"""The smallest deviation of a value, as a share of that over all values of its feature."""
_BATCH = 256


@torch.no_grad()
def fit_plausibility(
    plausibility: Plausibility, data: HydraulicDataModule, rows: NDArray[np.int64], seed: int
) -> None:
    """Fit the statistics of each build, and the limits by folds that are held out in turn.

    Windows that the split keeps together are in one fold, so that the limits hold for conditions
    or machines that the statistics have not seen.

    Args:
        plausibility: The module to fit.
        data: The data module, set up.
        rows: The windows.
        seed: Decides which windows are used, and their folds.
    """
    random = np.random.default_rng(seed)
    rows = np.sort(rows)
    if len(rows) > _WINDOWS:
        rows = np.sort(random.choice(rows, _WINDOWS, replace=False))
    parts: list[Summaries] = []
    builds: list[Tensor] = []
    for first in range(0, len(rows), _BATCH):
        inputs = data.dataset.gather(rows[first : first + _BATCH]).inputs
        parts.append(plausibility.summary(inputs))
        builds.append(plausibility.summary.build_of(inputs))
    value, known, spread = (torch.cat(each) for each in list(zip(*parts, strict=True))[:3])
    windows = Summaries(value, known, spread, parts[0].groups, parts[0].has_mean)
    build = torch.cat(builds)
    for number in torch.unique(build[build >= 0]).tolist():
        own = (build == number).nonzero().squeeze(1)
        if len(own) >= _FEWEST:
            folds = _folds(data.units[rows[own.numpy()]], random)
            plausibility.adopt(number, _fit(windows.rows(own), folds))


def _folds(unit: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Return the fold of each window: units as a whole, or stretches of the only unit."""
    units, number = np.unique(unit, return_inverse=True)
    if len(units) < _FOLDS:
        return np.arange(len(unit)) * _FOLDS // len(unit)
    fold = np.empty(len(units), np.int64)
    fold[random.permutation(len(units))] = np.arange(len(units)) % _FOLDS
    return fold[number]


def _fit(windows: Summaries, fold: NDArray[np.int64]) -> Fitted:
    folds = torch.from_numpy(fold)
    ever = windows.observed.any(0)
    unlimited = torch.where(ever, 1.0, torch.inf)
    held_out = torch.zeros_like(windows.spread)
    for number in torch.unique(folds).tolist():
        mean, scale, precision = _statistics(windows.rows((folds != number).nonzero().squeeze(1)))
        out = windows.rows((folds == number).nonzero().squeeze(1))
        partial = Fitted(mean, scale, precision, *[unlimited] * 4)
        z = partial.standardised(out.value, out.known)
        held_out[folds == number] = Conditionals(partial).ratios(z, out.observed & ever)
    limit = torch.where(ever, _MARGIN * held_out.amax(0).clamp(min=1.0), torch.inf)
    usual = held_out.quantile(_USUAL, 0).clamp(min=_LEAST_USUAL)
    score = (held_out / limit).amax(1)
    quantiles = score.quantile(torch.linspace(0, 1, QUANTILES))
    spread = torch.where(windows.observed, windows.spread, torch.inf).amin(0)
    return Fitted(*_statistics(windows), limit, usual, spread.nan_to_num(posinf=0.0), quantiles)


def _statistics(windows: Summaries) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, scale and precision."""
    count = windows.known.sum(0).clamp(min=1)
    mean = windows.value.sum(0) / count
    centred = (windows.value - mean).masked_fill(~windows.known, 0.0)
    deviation = (centred.square().sum(0) / count).sqrt()
    # The deviation of a feature over windows and steps together.
    by_feature = torch.unflatten(windows.value, 2, (windows.groups, -1))
    overall = by_feature.std((0, 2), correction=0).unsqueeze(1)
    overall = overall.expand(-1, windows.groups, -1).flatten(1)
    scale = torch.maximum(deviation, _LEAST_SCALE * overall)
    scale = torch.where(scale > 0, scale, 1.0)
    x = (centred / scale).flatten(1).double()
    covariance = x.T @ x / len(x)
    covariance.diagonal().add_(_SHRINKAGE)
    precision = torch.cholesky_inverse(torch.linalg.cholesky(covariance))
    return mean, scale, precision.float()
