"""The choice of the windows that the discriminant is fitted to, and their layout as rows."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.models.base import LabelledWindows
from hydrascope.models.blocks.sensor_layout import LaidOut, features_laid_out, rows_of
from hydrascope.models.kernel.questions import Questions, choose_questions
from hydrascope.schemas.task import HeadSpec


def choose(
    windows: LabelledWindows, heads: Sequence[HeadSpec], max_rows: int, seed: int
) -> tuple[Questions, NDArray[np.int64]]:
    """Choose the questions, and at most `max_rows` windows to learn from, by ascending number."""
    targets = {head.name: windows.targets(head) for head in heads}
    chosen = choose_questions(heads, targets)
    kept = chosen.rows.numpy()
    if len(kept) > max_rows:
        few = kept[_spread(chosen.combination, max_rows, seed)]
        chosen = choose_questions(heads, {name: target[few] for name, target in targets.items()})
        kept = few[chosen.rows.numpy()]
    return chosen, kept


def read(windows: LabelledWindows, numbers: NDArray[np.int64], places: int) -> LaidOut:
    """Read the windows with these numbers, ascending."""
    parts = []
    for inputs, _ in windows.parts(numbers):
        row = rows_of(inputs, inputs.sensor_slot, places)
        parts.append(features_laid_out(inputs, inputs.sensor_observed, row, places))
    return LaidOut(*map(torch.cat, zip(*parts, strict=True)))


def families(names: Sequence[str]) -> list[int]:
    """Return each feature's family; `patch_0` and `patch_1` share one, `mean` has its own."""
    stems = [name.rstrip("0123456789.").rstrip("_") for name in names]
    number = {stem: i for i, stem in enumerate(dict.fromkeys(stems))}
    return [number[stem] for stem in stems]


def _spread(combination: Tensor, count: int, seed: int) -> NDArray[np.int64]:
    """Return `count` positions, ascending, spread over the combinations as evenly as possible."""
    shuffled = np.random.default_rng((seed, 2)).permutation(len(combination))
    # The rank of each window within its combination: take all first ones, then all second ones, …
    mixed = combination.numpy()[shuffled]
    order = np.argsort(mixed, kind="stable")
    size = np.bincount(mixed)
    rank = np.empty(len(mixed), np.int64)
    rank[order] = np.arange(len(mixed)) - np.repeat(np.cumsum(size) - size, size)
    return np.sort(shuffled[np.argsort(rank, kind="stable")[:count]])
