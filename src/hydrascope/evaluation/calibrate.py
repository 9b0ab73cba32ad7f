"""Fitting temperatures, thresholds and conformal margins on held-out windows.

Shapes: R rows, M numbers of a head: L of one with labels, else 1.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from crepes import ConformalRegressor
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from hydrascope.evaluation.nonconformity import nonconformity
from hydrascope.evaluation.predictions import HeadPredictions, LocatedPredictions, complete
from hydrascope.models.calibration import tempered
from hydrascope.schemas.calibration import (
    FLAG_PROBABILITY,
    Calibration,
    Conformal,
    flag_names,
)
from hydrascope.schemas.task import HeadKind, HeadSpec

Array = NDArray[np.float64]

COVERAGE = 0.98
"""Of sets and intervals. Sets of heads that are nearly always right hold the truth more often than
is asked for: a class that is certain is never left out."""
_LOG_TEMPERATURES = (-4.0, 4.0)
_UNKNOWN_UNITS = 0.5
"""As many units more are taken to be answered at random."""
_FEWEST = 5
"""Windows with a label, and without it, that it takes to fit a threshold or a temperature."""


class HeldOut(NamedTuple):
    """What calibration is fitted on."""

    predictions: Mapping[str, LocatedPredictions]
    """Not calibrated; of heads that can be."""
    reasons: Mapping[str, str]
    """Every other head → why it cannot be."""
    units: NDArray[np.int64]
    """[W] number of the unit of every window of the window table."""
    unit: str
    """What the units are, in the plural."""


def fit_calibration(
    heads: Sequence[HeadSpec], held_out: HeldOut, coverage: float = COVERAGE
) -> Calibration:
    """Fit what `schemas.calibration` holds.

    The margins take held-out and new windows to be exchangeable (V. Vovk et al., "Algorithmic
    Learning in a Random World", 2005). Under unseen conditions, where the windows of one are alike,
    they are not quite; an evaluation measures what is left of the promise.
    """
    temperatures: dict[str, tuple[float, ...]] = {}
    thresholds: dict[str, float] = {}
    margins: dict[str, tuple[float, ...]] = {}
    reasons = dict(held_out.reasons)
    windows = np.empty(0, np.int64)
    for head in (head for head in heads if head.name in held_out.predictions):
        rows = complete(held_out.predictions[head.name])
        if len(rows.target) < _FEWEST:
            reasons[head.name] = f"{len(rows.target)} held-out windows have its label"
            continue
        windows = np.union1d(windows, rows.window.numpy())
        if head.kind is not HeadKind.REGRESSION:
            temperatures[head.name] = fit_temperatures(
                head, rows, len(np.unique(held_out.units[rows.window.numpy()]))
            )
            sure = tempered(head, rows.prediction, torch.tensor(temperatures[head.name]))
            rows = LocatedPredictions(sure, rows.target, rows.window, rows.component)
        if head.kind is HeadKind.MULTI_LABEL:
            thresholds |= {
                name: best_threshold(
                    sure[:, number].double().numpy(), rows.target[:, number].numpy() == 1
                )
                for number, name in enumerate(flag_names(head))
            }
        scores = nonconformity(head, rows.prediction, rows.target).numpy()
        found = tuple(conformal_margin(column, coverage) for column in scores.T)
        if np.isfinite(found).all():
            margins[head.name] = found
    conformal = Conformal(
        coverage=coverage,
        margins=margins,
        windows=len(windows),
        units=len(np.unique(held_out.units[windows])),
        unit=held_out.unit,
    )
    return Calibration(
        temperatures=temperatures,
        thresholds=thresholds,
        conformal=conformal,
        uncalibrated=reasons,
    )


def fit_temperatures(head: HeadSpec, rows: HeadPredictions, units: int) -> tuple[float, ...]:
    """Return the temperatures of least cross-entropy; 1 for a label that is too rarely there.

    Rows of one condition or machine are alike, so that their cross-entropy counts as that of so
    many independent observations as there are `units`. Beside it stand two prior beliefs: that
    log T is normal around 0 with deviation 1, so that few conditions change little; and half a unit
    more, whose answers have nothing to do with what is true (the half of R. E. Krichevsky,
    V. K. Trofimov, "The Performance of Universal Encoding", IEEE Transactions on Information
    Theory, 1981). For that n conditions were all answered rightly does not say that the next one
    will be: without it such answers were made surer than they deserved.

    Args:
        head: With probabilities.
        rows: Not calibrated, of held-out windows.
        units: How many conditions or machines they are of.
    """
    if head.kind is HeadKind.MULTI_LABEL:
        alone = head.model_copy(update={"kind": HeadKind.BINARY, "labels": ()})
        return tuple(
            _temperature(alone, rows.prediction[:, [column]], rows.target[:, [column]], units)
            for column in range(len(head.labels))
        )
    return (_temperature(head, rows.prediction, rows.target, units),)


def _temperature(head: HeadSpec, prediction: Tensor, target: Tensor, units: int) -> float:
    if head.kind is HeadKind.BINARY:
        there = int((target == 1).sum())
        if min(there, len(target) - there) < _FEWEST:
            return 1.0

    def cross_entropy(log_temperature: float) -> float:
        sure = tempered(head, prediction.double(), torch.tensor(math.exp(log_temperature)))
        return float(log_loss(head, sure, target).mean())

    labels, counts = torch.unique(target, return_counts=True)
    shares = (counts / counts.sum()).tolist()

    def unrelated(log_temperature: float) -> float:
        """Return the cross-entropy of labels that are as frequent, and fall on any row."""
        sure = tempered(head, prediction.double(), torch.tensor(math.exp(log_temperature)))
        each = (log_loss(head, sure, torch.full_like(target, label)).mean() for label in labels)
        return float(sum(share * loss for share, loss in zip(shares, each, strict=True)))

    def improbability(log_temperature: float) -> float:
        evidence = units * cross_entropy(log_temperature)
        return evidence + _UNKNOWN_UNITS * unrelated(log_temperature) + log_temperature**2 / 2

    found = minimize_scalar(improbability, bounds=_LOG_TEMPERATURES, method="bounded")
    return math.exp(float(found.x))


def log_loss(head: HeadSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Return −log of the probability of what was true, [R, M] as `nonconformity`; at most 69."""
    return -(1.0 - nonconformity(head, prediction, target)).clamp_min(1e-30).log()


def best_threshold(probability: Array, present: NDArray[np.bool_]) -> float:
    """Return the probability from which flagging has the highest F1; 0.5 of too few windows.

    It lies half way between two probabilities that were seen; of equals the nearest to 0.5.
    """
    if min(present.sum(), (~present).sum()) < _FEWEST:
        return FLAG_PROBABILITY
    seen = np.unique(probability)
    candidates = np.r_[(seen[:-1] + seen[1:]) / 2, FLAG_PROBABILITY]
    candidates = candidates[np.argsort(np.abs(candidates - FLAG_PROBABILITY), kind="stable")]
    there, absent = np.sort(probability[present]), np.sort(probability[~present])
    hits = len(there) - np.searchsorted(there, candidates)
    alarms = len(absent) - np.searchsorted(absent, candidates)
    f1 = 2 * hits / (len(there) + hits + alarms)
    return float(candidates[f1.argmax()])


def conformal_margin(scores: Array, coverage: float) -> float:
    """Return what nonconformity `scores` stay below in a share of `coverage`; infinite of too few.

    The split conformal quantile, by crepes: the half width of its interval around 0. Scores may
    be negative, which residuals of crepes are not, so they are shifted; it is one of the scores.

    Args:
        scores: [R] of held-out windows.
        coverage: Asked for.
    """
    lowest = float(scores.min())
    regressor = ConformalRegressor().fit(residuals=scores - lowest)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the no. of calibration examples")
        (_, width), *_ = regressor.predict_int(np.zeros(1), confidence=coverage)
    if not np.isfinite(width):
        return math.inf
    return float(scores[np.abs(scores - lowest - width).argmin()])
