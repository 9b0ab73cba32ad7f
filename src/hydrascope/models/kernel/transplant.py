"""More rows of each combination: the drift that was seen under another one, added."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.int64]


class Transplants(NamedTuple):
    """New rows x[base] + (x[one] − x[other]); each [m] int64."""

    base: Tensor
    one: Tensor
    other: Tensor

    def append_to(self, values: Tensor, dim: int) -> Tensor:
        """Append theirs to the rows' values of a linear function, [..., n, ...] → n + m."""
        base, one, other = (values.index_select(dim, rows) for rows in self)
        return torch.cat((values, base + (one - other)), dim)


def draw_transplants(
    combination: Numbers, per_combination: int, random: np.random.Generator
) -> Transplants:
    """Draw rows i, a, b whose x_i + (x_a − x_b) is a new row of the combination of i.

    a is any row, b another of the combination of a (a itself where there is no other): what
    differs between them is no condition but drift (temperatures, the state of the oil, the order
    of the trials), and it might have met i as well.

    Args:
        combination: [n], numbered without gaps.
        per_combination: New rows of each combination.
        random: Draws.
    """
    order = np.argsort(combination, kind="stable")
    counts = np.bincount(combination)
    first = np.cumsum(counts) - counts

    def draw(of: Numbers) -> Numbers:
        drawn: Numbers = order[first[of] + random.integers(0, counts[of])]
        return drawn

    base = draw(np.repeat(np.arange(len(counts)), per_combination))
    one = random.integers(0, len(combination), len(base))
    # Another member of a's combination: a step of 1 … count − 1 around its members.
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - first[combination[order]]
    group = combination[one]
    step = random.integers(1, np.maximum(counts[group], 2))
    other = order[first[group] + (rank[one] + step) % counts[group]]
    return Transplants(*(torch.from_numpy(rows) for rows in (base, one, other)))
