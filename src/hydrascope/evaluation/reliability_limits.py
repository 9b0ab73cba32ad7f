"""Limits of reliable answers, chosen together for all heads.

Shapes: H heads, W held-out windows.
"""

import torch
from torch import Tensor


def joint_limits(lowest: Tensor, share: float) -> Tensor:
    """Return the limit of each head, [H], so that few windows have an answer below its limit.

    Each limit is the same quantile of its head's own values: the largest that leaves an answer
    below its limit in at most `share` of the windows. Equal values have equal ranks. Source: the
    minimum of ranks of P. H. Westfall, S. S. Young, "Resampling-Based Multiple Testing", 1993.

    Args:
        lowest: The lowest probability of being right of each head's answers to a window, [H, W];
            infinite where a head has no answer.
        share: The most windows with an answer below its limit, 0 to 1.
    """
    ascending = lowest.sort(1).values
    rank = torch.searchsorted(ascending, lowest, right=True)
    least = rank.amin(0).sort().values
    level = int(least[int(share * len(least))])
    return ascending[:, level - 1]
