"""The comparison of answers that were computed in two ways."""

import math
from collections.abc import Mapping

from torch import Tensor

LIMIT = 1e-4
"""The largest accepted absolute difference between a bundle's and its checkpoint's answers."""


def difference(answers: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Return the largest absolute difference between answers of the same names.

    It is infinite if only one of the two is NaN; NaN means that there is nothing to score.
    """
    worst = 0.0
    for name, value in expected.items():
        if not answers[name].isnan().equal(value.isnan()):
            return math.inf
        worst = max(worst, float((answers[name] - value).nan_to_num().abs().max()))
    return worst
