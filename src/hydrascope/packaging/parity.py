"""Whether two ways to the same answers agree."""

import math
from collections.abc import Mapping

from torch import Tensor

LIMIT = 1e-4
"""Largest accepted absolute difference between a bundle's answers and those of its checkpoint."""


def difference(answers: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Return the largest absolute difference between answers of the same names.

    Infinite where only one of the two is NaN, which says that there is nothing to score.
    """
    worst = 0.0
    for name, value in expected.items():
        if not answers[name].isnan().equal(value.isnan()):
            return math.inf
        worst = max(worst, float((answers[name] - value).nan_to_num().abs().max()))
    return worst
