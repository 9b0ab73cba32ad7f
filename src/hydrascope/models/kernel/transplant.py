"""Drift transplants: more rows of each combination, by adding drift observed under another one."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.int64]


class Transplants(NamedTuple):
    """The new rows x[base] + (x[one] − x[other]); each index is [m] int64."""

    base: Tensor
    one: Tensor
    other: Tensor

    def append_to(self, values: Tensor, dim: int) -> Tensor:
        """Append the transplants' values of a linear function to those of the rows, n → n + m."""
        base, one, other = (values.index_select(dim, rows) for rows in self)
        return torch.cat((values, base + (one - other)), dim)


def draw_transplants(
    combination: Numbers, per_combination: int, random: np.random.Generator
) -> Transplants:
    """Draw rows i, a, b such that x_i + (x_a − x_b) is a new row of the combination of i.

    a is any row, and b is another row of the same combination, or a itself if there is no other.
    They differ only by drift (temperatures, the state of the oil, the order of the trials), which
    could have affected i as well.

    Args:
        combination: [n], numbered without gaps.
        per_combination: The number of new rows of each combination.
        random: The random generator.
    """
    order = np.argsort(combination, kind="stable")
    counts = np.bincount(combination)
    first = np.cumsum(counts) - counts

    def draw(groups: Numbers) -> Numbers:
        drawn: Numbers = order[first[groups] + random.integers(0, counts[groups])]
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
