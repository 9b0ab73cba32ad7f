"""Fitting temperatures, thresholds and conformal margins on held-out windows.

Shapes: R rows; M values per head: L for a head with labels, else 1.
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
    flag_thresholds,
)
from hydrascope.schemas.task import HeadKind, HeadSpec

Array = NDArray[np.float64]

_COVERAGE, _LEAST_COVERAGE = 0.99, 0.98
"""The coverage of class sets and intervals, and the least for heads with few held-out
windows. If a head is nearly always right, its sets exceed it, because a class that is certain is
never left out."""
_LOG_TEMPERATURES = (-4.0, 4.0)
_UNKNOWN_UNITS = 0.5
"""The number of additional units that are assumed to be answered at random."""
_FEWEST = 5
"""The fewest windows with a label, and without it, to fit a threshold or a temperature."""


class HeldOut(NamedTuple):
    """The data that calibration is fitted on."""

    predictions: Mapping[str, LocatedPredictions]
    """The uncalibrated answers of each head that can be calibrated."""
    reasons: Mapping[str, str]
    """Every other head → the reason why it cannot be calibrated."""
    units: NDArray[np.int64]
    """[W] the unit number of every window of the window table."""
    unit: str
    """The name of the units, in the plural."""


def fit_calibration(
    heads: Sequence[HeadSpec], held_out: HeldOut, prior: Calibration | None = None
) -> Calibration:
    """Fit the values of `schemas.calibration.Calibration`.

    With `prior`, the calibration of the weights that a training began with, flags keep their
    temperature and threshold from there if fewer than five held-out units have the label: a few
    windows of one machine would set them by chance.

    The margins assume that held-out and new windows are exchangeable (V. Vovk et al., "Algorithmic
    Learning in a Random World", 2005). This does not quite hold under unseen conditions, because
    windows of one condition are similar. An evaluation measures the coverage that remains.
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
        units = held_out.units[rows.window.numpy()]
        kept = _kept(head, rows.target, units, prior)
        if head.kind is not HeadKind.REGRESSION:
            fitted = fit_temperatures(head, rows, len(np.unique(units)))
            temperatures[head.name] = tuple(
                kept[number].temperature if number in kept else each
                for number, each in enumerate(fitted)
            )
            calibrated = tempered(head, rows.prediction, torch.tensor(temperatures[head.name]))
            rows = LocatedPredictions(calibrated, rows.target, rows.window, rows.component)
        if head.kind is HeadKind.MULTI_LABEL:
            thresholds |= _thresholds(head, rows, kept)
        scores = nonconformity(head, rows.prediction, rows.target).numpy()
        attainable = len(scores) / (len(scores) + 1)  # the most that so many windows can promise
        attained = max(min(_COVERAGE, attainable), _LEAST_COVERAGE)
        margin = tuple(conformal_margin(column, attained) for column in scores.T)
        if np.isfinite(margin).all():
            margins[head.name] = margin
    if prior is not None:  # what cannot be calibrated here
        temperatures = {**prior.temperatures, **temperatures}
        thresholds = {**prior.thresholds, **thresholds}
        reasons = {name: why for name, why in reasons.items() if name not in temperatures}
    conformal = Conformal(
        coverage=_COVERAGE,
        margins=margins,
        windows=len(windows),
        units=len(np.unique(held_out.units[windows])),
        unit=held_out.unit,
    )
    return Calibration(
        temperatures=temperatures, thresholds=thresholds, conformal=conformal, uncalibrated=reasons
    )


class _Flag(NamedTuple):
    """The calibration of one flag."""

    temperature: float
    threshold: float


def _kept(
    head: HeadSpec, target: Tensor, units: NDArray[np.int64], prior: Calibration | None
) -> dict[int, _Flag]:
    """Return the flags of a head, by number, that keep the calibration of the initial weights."""
    if prior is None or head.name not in prior.temperatures:
        return {}
    flags = zip(
        prior.temperatures[head.name], flag_thresholds(head, prior.thresholds), strict=False
    )
    return {
        number: _Flag(*flag)
        for number, flag in enumerate(flags)
        if len(np.unique(units[target[:, number].numpy() == 1])) < _FEWEST
    }


def _thresholds(
    head: HeadSpec, rows: HeadPredictions, kept: Mapping[int, _Flag]
) -> dict[str, float]:
    return {
        name: kept[number].threshold
        if number in kept
        else best_threshold(
            rows.prediction[:, number].double().numpy(), rows.target[:, number].numpy() == 1
        )
        for number, name in enumerate(flag_names(head))
    }


def fit_temperatures(head: HeadSpec, rows: HeadPredictions, units: int) -> tuple[float, ...]:
    """Return the temperatures of least cross-entropy; 1 for a label that is too rare.

    Rows of one condition or machine are similar, so the mean cross-entropy is weighted as if there
    were only `units` independent observations. Two priors are added:

    - log T is normal around 0 with standard deviation 1, so that few conditions change little.
    - There is half a unit more, whose answers are unrelated to the truth (the half of
      R. E. Krichevsky, V. K. Trofimov, "The Performance of Universal Encoding", IEEE Transactions
      on Information Theory, 1981). That n conditions were all answered correctly does not mean
      that the next one will be; without this prior such answers became overconfident.

    Args:
        head: A head with probabilities.
        rows: Its uncalibrated answers on held-out windows.
        units: The number of conditions or machines that the rows come from.
    """
    if head.kind is HeadKind.MULTI_LABEL:
        single = head.model_copy(update={"kind": HeadKind.BINARY, "labels": ()})
        return tuple(
            _temperature(single, rows.prediction[:, [column]], rows.target[:, [column]], units)
            for column in range(len(head.labels))
        )
    return (_temperature(head, rows.prediction, rows.target, units),)


def _temperature(head: HeadSpec, prediction: Tensor, target: Tensor, units: int) -> float:
    if head.kind is HeadKind.BINARY:
        present = int((target == 1).sum())
        if min(present, len(target) - present) < _FEWEST:
            return 1.0

    labels, counts = torch.unique(target, return_counts=True)
    shares = (counts / counts.sum()).tolist()

    def improbability(log_temperature: float) -> float:
        scaled = tempered(head, prediction.double(), torch.tensor(math.exp(log_temperature)))
        evidence = units * float(log_loss(head, scaled, target).mean())
        # The cross-entropy of labels that are as frequent, but unrelated to the rows.
        each = (log_loss(head, scaled, torch.full_like(target, label)).mean() for label in labels)
        unrelated = float(sum(share * loss for share, loss in zip(shares, each, strict=True)))
        return evidence + _UNKNOWN_UNITS * unrelated + log_temperature**2 / 2

    found = minimize_scalar(improbability, bounds=_LOG_TEMPERATURES, method="bounded")
    return math.exp(float(found.x))


def log_loss(head: HeadSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Return −log of the probability of the truth, [R, M] as in `nonconformity`; at most 69."""
    return -(1.0 - nonconformity(head, prediction, target)).clamp_min(1e-30).log()


def best_threshold(probability: Array, present: NDArray[np.bool_]) -> float:
    """Return the flag threshold with the highest F1; 0.5 if there are too few windows.

    It lies halfway between two observed probabilities; of equally good ones it is the nearest to
    0.5.
    """
    if min(present.sum(), (~present).sum()) < _FEWEST:
        return FLAG_PROBABILITY
    seen = np.unique(probability)
    candidates = np.r_[(seen[:-1] + seen[1:]) / 2, FLAG_PROBABILITY]
    candidates = candidates[np.argsort(np.abs(candidates - FLAG_PROBABILITY), kind="stable")]
    positive, negative = np.sort(probability[present]), np.sort(probability[~present])
    hits = len(positive) - np.searchsorted(positive, candidates)
    alarms = len(negative) - np.searchsorted(negative, candidates)
    f1 = 2 * hits / (len(positive) + hits + alarms)
    return float(candidates[f1.argmax()])


def conformal_margin(scores: Array, coverage: float) -> float:
    """Return the split conformal quantile of nonconformity `scores`; infinite for too few scores.

    crepes computes it as the half width of its interval around 0. Scores may be negative, unlike
    the residuals of crepes, so they are shifted first. The quantile is one of the scores.

    Args:
        scores: [R] scores of held-out windows.
        coverage: The share of new scores that the quantile must bound.
    """
    lowest = float(scores.min())
    regressor = ConformalRegressor().fit(residuals=scores - lowest)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the no. of calibration examples")
        (_, width), *_ = regressor.predict_int(np.zeros(1), confidence=coverage)
    if not np.isfinite(width):
        return math.inf
    return float(scores[np.abs(scores - lowest - width).argmin()])
