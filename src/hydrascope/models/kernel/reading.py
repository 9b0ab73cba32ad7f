"""The choice of the windows that the discriminant is fitted to, and their layout as rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.models.base import LabelledWindows
from hydrascope.models.blocks.sensor_layout import lay_out, rows_of
from hydrascope.models.kernel.questions import Questions, choose_questions
from hydrascope.schemas.task import HeadSpec


class Chosen(NamedTuple):
    """The questions, and the windows to learn them from."""

    questions: Questions
    windows: NDArray[np.int64]
    """The numbers of the windows, [n], ascending."""


class Read(NamedTuple):
    """Windows arranged by place."""

    features: Tensor
    """The normalised features, [n, P, T, F] float64; 0 where not observed."""
    observed: Tensor
    """Whether each step is observed, [n, P, T] bool."""


def choose(windows: LabelledWindows, heads: Sequence[HeadSpec], max_rows: int, seed: int) -> Chosen:
    """Choose the questions, and at most `max_rows` windows to learn them from."""
    targets = {head.name: windows.targets(head) for head in heads}
    chosen = choose_questions(heads, targets)
    kept = chosen.rows.numpy()
    if len(kept) > max_rows:
        few = kept[_spread(chosen.combination, max_rows, seed)]
        chosen = choose_questions(heads, {name: target[few] for name, target in targets.items()})
        kept = few[chosen.rows.numpy()]
    return Chosen(chosen, kept)


def read(windows: LabelledWindows, numbers: NDArray[np.int64], places: int) -> Read:
    """Read the windows with these numbers, ascending."""
    features, observed = [], []
    for inputs, _ in windows.parts(numbers):
        graphs, row = len(inputs.graph_id), rows_of(inputs, inputs.sensor_slot, places)
        seen = inputs.sensor_observed
        known = torch.where(seen.unsqueeze(-1), inputs.sensor_features, 0.0).double()
        features.append(lay_out(known, row, graphs, places))
        observed.append(lay_out(seen.long(), row, graphs, places) > 0)
    return Read(torch.cat(features), torch.cat(observed))


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
