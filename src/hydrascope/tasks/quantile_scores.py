"""Scores of predicted quantiles; both are smallest on average for the true quantiles.

Shapes: R rows, Q quantiles of the head.
"""

import torch
from torch import Tensor

from hydrascope.schemas.task import HeadSpec


def pinball(head: HeadSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean over the quantiles q of max(q e, (q − 1) e), with e = y − ŷ, [R].

    Source: R. Koenker, G. Bassett, "Regression Quantiles", Econometrica 46, 1978.

    Args:
        head: A head with quantiles.
        prediction: [R, Q].
        target: [R, 1].
    """
    quantiles = prediction.new_tensor(head.quantiles)
    error = target - prediction
    return torch.maximum(quantiles * error, (quantiles - 1) * error).mean(dim=1)


def interval_score(head: HeadSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Return the score of the interval between the outermost quantiles a < b, [R].

        (u − l) + max(l − y, 0) / a + max(y − u, 0) / (1 − b)

    This is the width of the interval, plus a penalty for a truth outside. Source: T. Gneiting, A.
    Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102, 2007, section
    6.2. The arguments are those of `pinball`.
    """
    low, high = prediction[:, 0], prediction[:, -1]
    below, above = (low - target[:, 0]).clamp_min(0.0), (target[:, 0] - high).clamp_min(0.0)
    return high - low + below / head.quantiles[0] + above / (1.0 - head.quantiles[-1])


def quantile_scores(head: HeadSpec, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return each row's scores by name, [R]; `interval_score` for at least two quantiles."""
    return {
        name: score(head, prediction, target)
        for name, score in zip(score_names(head), (pinball, interval_score), strict=False)
    }


def score_names(head: HeadSpec) -> tuple[str, ...]:
    """Return the names of a head's scores; empty for a head without quantiles."""
    return ("pinball", "interval_score")[: len(head.quantiles)]
