"""What the windows that set a threshold of normality scored."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

EVIDENCE = "normality.evidence"
"""Stands for a level in `ScoresByLevel`: what the blame compares with healthy windows; its parts
are `Blame.raw`."""


class ScoredWindows(NamedTuple):
    """The scores of one level, [R] each."""

    parts: Tensor
    """The parts of each score: change and level, which are sums of ρ over observed steps, and the
    number of these, [R, 3] float64; of `EVIDENCE` [R, 4]."""
    key: Tensor
    """Index of its threshold, `Normality.keys`."""
    build: Tensor
    """Index of the threshold of its build, `Normality.build_keys`."""
    window: Tensor
    """Row of its window in the window table."""


ScoresByLevel = Mapping[str, ScoredWindows]
"""Level → its scores."""


def joined(scores: Sequence[ScoresByLevel]) -> dict[str, ScoredWindows]:
    """Join the scores of several parts of the windows, for the levels that all of them have."""
    levels = [level for level in scores[0] if all(level in each for each in scores)]
    return {
        level: ScoredWindows(*map(torch.cat, zip(*(each[level] for each in scores), strict=True)))
        for level in levels
    }
