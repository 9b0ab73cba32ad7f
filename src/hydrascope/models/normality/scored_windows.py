"""What the windows that set a threshold of normality scored."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

PARTS = ("change", "level", "steps")
"""The columns of a score's parts: the sums of ρ over observed steps, and the number of these."""


class ScoredWindows(NamedTuple):
    """The scores of one level, [R] each."""

    parts: Tensor
    """The parts of each score, `PARTS`, [R, 3] float64."""
    key: Tensor
    """Index of its threshold, `Normality.keys`."""
    build: Tensor
    """Index of the threshold of its build, `Normality.build_keys`."""
    window: Tensor
    """Row of its window in the window table."""


ScoresByLevel = Mapping[str, ScoredWindows]
"""Level → its scores."""


def joined(scores: Sequence[ScoresByLevel]) -> dict[str, ScoredWindows]:
    """Join the scores of several parts of the windows, level by level."""
    levels = scores[0].keys()
    return {
        level: ScoredWindows(*map(torch.cat, zip(*(each[level] for each in scores), strict=True)))
        for level in levels
    }
