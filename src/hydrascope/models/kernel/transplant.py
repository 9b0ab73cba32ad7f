"""More rows of each combination: the drift that was seen under another one, added."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def transplants(
    combination: Rows, per_combination: int, random: np.random.Generator
) -> tuple[Rows, Rows, Rows]:
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

    def draw(of: Rows) -> Rows:
        drawn: Rows = order[first[of] + random.integers(0, counts[of])]
        return drawn

    base = draw(np.repeat(np.arange(len(counts)), per_combination))
    one = random.integers(0, len(combination), len(base))
    # Another member of a's combination: a step of 1 … count − 1 around its members.
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - first[combination[order]]
    group = combination[one]
    step = random.integers(1, np.maximum(counts[group], 2))
    other = order[first[group] + (rank[one] + step) % counts[group]]
    return base, one, other
