"""Alarm thresholds for normality scores, and confidence intervals of rates."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma, norm

from hydrascope.schemas.normality import ThresholdRule

Floats = NDArray[np.float64]


def conformal_threshold(scores: Floats, rate: float, groups: NDArray[np.int64]) -> float:
    """Return a threshold that a score of a new group exceeds with probability at most `rate`.

    The method is that of Y. Lee, R. F. Barber, R. Willett, "Distribution-free inference with
    hierarchical data" (2023). Each of K groups has weight 1, shared equally among its scores. One
    more group is assumed to lie above them all. The threshold is the (1 − rate)-quantile. If every
    score is its own group, this is the usual conformal rule, the ⌈(K + 1)(1 − rate)⌉-th smallest.
    If K < 1/rate − 1 it is the largest score, which only guarantees `resolved_rate`. It is NaN
    without scores.

    Args:
        scores: [W]; NaN for a window without a score.
        rate: The accepted share of false alarms.
        groups: [W]; windows of one group are similar, and the groups are exchangeable.
    """
    known = ~np.isnan(scores)
    if not known.any():
        return math.nan
    _, group, size = np.unique(groups[known], return_inverse=True, return_counts=True)
    order = np.argsort(scores[known], kind="stable")
    mass = np.cumsum(1.0 / size[group[order]])
    # The tolerance allows for sums that are an ulp below an integer.
    rank = int(np.searchsorted(mass, (len(size) + 1) * (1.0 - rate) - 1e-9))
    return float(scores[known][order[min(rank, len(order) - 1)]])


def quantile_threshold(scores: Floats, rate: float, groups: NDArray[np.int64]) -> float:  # noqa: ARG001 (the signature of a rule)
    """Return the (1 − rate)-quantile of all scores, interpolated; every window counts alike.

    This is the `contamination` rule of PyOD (Y. Zhao, Z. Nasrullah, Z. Li, JMLR 20, 2019).
    """
    known = _known(scores)
    return float(np.quantile(known, 1.0 - rate)) if len(known) else math.nan


def sigma_threshold(scores: Floats, rate: float, groups: NDArray[np.int64]) -> float:  # noqa: ARG001 (the signature of a rule)
    """Return the mean plus k standard deviations of all scores, as on a control chart.

    k is the (1 − rate)-quantile of the normal distribution: 3 for a rate of 0.00135 (W. A.
    Shewhart, "Economic Control of Quality of Manufactured Product", 1931).
    """
    known = _known(scores)
    return float(known.mean() + norm.isf(rate) * known.std()) if len(known) else math.nan


def gamma_threshold(scores: Floats, rate: float, groups: NDArray[np.int64]) -> float:  # noqa: ARG001 (the signature of a rule)
    """Return the (1 − rate)-quantile of a gamma distribution, fitted by maximum likelihood.

    It is the rule of the baselines of the DCASE challenge on machine sounds (N. Harada et al.,
    "First-shot anomaly sound detection for machine condition monitoring", EUSIPCO 2023). Scores
    that are all equal are their own threshold. Scores must not be negative.
    """
    known = np.maximum(_known(scores), np.finfo(np.float64).tiny)
    if not len(known):
        return math.nan
    if np.ptp(known) <= 1e-9 * known.max():
        return float(known.max())
    shape, _, scale = gamma.fit(known, floc=0.0)
    return float(gamma.isf(rate, shape, scale=scale))


def _known(scores: Floats) -> Floats:
    return scores[~np.isnan(scores)]


THRESHOLDS: Mapping[ThresholdRule, Callable[[Floats, float, NDArray[np.int64]], float]] = {
    "conformal": conformal_threshold,
    "quantile": quantile_threshold,
    "sigma": sigma_threshold,
    "gamma": gamma_threshold,
}
"""Rule → the threshold of scores [W], a false-alarm rate and the groups of windows [W].

A rule is offered if the field uses it and it answers a need that the others do not: `conformal`
promises a rate for new groups, `quantile` compares with published results, `sigma` and `gamma`
set a threshold beyond the largest of a few scores, at the price of an assumed distribution."""


def resolved_rate(held_out: int, rate: float) -> float:
    """Return the false-alarm rate that n held-out groups can guarantee: 1/(n + 1) at best."""
    return max(rate, 1.0 / (held_out + 1))


def wilson_interval(hits: float, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, JASA 22, 1927); (0, 1) without trials.

    Args:
        hits: Not always whole: a group of which a share hits counts as that share.
        trials: The number of trials or groups.
    """
    if not trials:
        return 0.0, 1.0
    z = float(norm.isf(0.025))
    share, spread = hits / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
