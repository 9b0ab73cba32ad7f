"""Addition of differences of windows to other windows."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.transforms import components_of, sensors_of
from hydrascope.data.windows import WindowNumbers

Gather = Callable[[WindowNumbers], TrainingBatch]
"""Returns ascending windows as a batch."""


class WindowSums:
    """Differences of windows to add to the graphs of a batch."""

    def __init__(self) -> None:
        self._terms: list[tuple[int, int, int, float]] = []

    def add(self, graph: int, taken: int, given: int, factor: float = 1.0) -> None:
        """Add `factor` times (window `taken` − window `given`) to a graph of the same build."""
        self._terms.append((graph, taken, given, factor))

    def applied(
        self, batch: TrainingBatch, gather: Gather, settled: Collection[str]
    ) -> TrainingBatch:
        """Return the batch with the sums; a sensor is observed where all terms observe it.

        Line and machine features do not change, nor do the targets of `settled` heads. Targets of
        other heads become missing where the two windows of a term differ.
        """
        if not self._terms:
            return batch
        graphs, taken, given, factors = zip(*self._terms, strict=True)
        rows = np.array([*taken, *given], dtype=np.int64)
        needed, place = np.unique(rows, return_inverse=True)
        bank = gather(needed)
        graph = [*graphs, *graphs]
        target, origin = _aligned(graph, place.tolist(), sensors_of(batch), sensors_of(bank))
        factor = torch.tensor([*factors, *(-each for each in factors)])
        sizes = torch.tensor(sensors_of(batch))[torch.tensor(graph)]
        x, observed = bank.inputs.sensor_features[origin], bank.inputs.sensor_observed[origin]
        x = torch.where(observed.unsqueeze(-1), x, 0.0)
        x = x * factor.repeat_interleave(sizes).view(-1, 1, 1)
        inputs = batch.inputs
        features = inputs.sensor_features.index_add(0, target, x)
        missing = (~observed).to(torch.float32)
        lacking = torch.zeros(inputs.sensor_observed.shape).index_add(0, target, missing) > 0
        return batch._replace(
            inputs=inputs._replace(
                sensor_features=features, sensor_observed=inputs.sensor_observed & ~lacking
            ),
            targets=self._known_targets(batch, bank, place, settled),
        )

    def _known_targets(
        self,
        batch: TrainingBatch,
        bank: TrainingBatch,
        place: WindowNumbers,
        settled: Collection[str],
    ) -> dict[str, Tensor]:
        """Return the targets of a batch; `place` has the positions of the terms in `bank`."""
        graphs, (taken, given) = [graph for graph, *_ in self._terms], np.split(place, 2)
        targets = dict(batch.targets)
        for name in (name for name in targets if name not in settled):
            at_machine = len(targets[name]) == len(batch.window)
            mine, theirs = (
                [1] * len(each.window) if at_machine else components_of(each)
                for each in (batch, bank)
            )
            row, first = _aligned(graphs, taken.tolist(), mine, theirs)
            _, second = _aligned(graphs, given.tolist(), mine, theirs)
            other = bank.targets[name]
            differs = other[first].nan_to_num(-1.0) != other[second].nan_to_num(-1.0)
            lost = torch.zeros(targets[name].shape).index_add(0, row, differs.to(torch.float32))
            targets[name] = targets[name].masked_fill(lost > 0, torch.nan)
        return targets


def _aligned(
    graph: Sequence[int], place: Sequence[int], sizes: Sequence[int], others: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return the paired rows of graphs in a batch and of graphs in another batch.

    Args:
        graph: Graphs of the batch.
        place: Paired graphs of the other batch.
        sizes: Rows (sensors or components) of each graph of the batch.
        others: Rows of each graph of the other batch.
    """
    first, other = np.cumsum([0, *sizes]), np.cumsum([0, *others])
    pairs = list(zip(graph, place, strict=True))
    target = np.concatenate([np.arange(first[g], first[g + 1]) for g, _ in pairs])
    source = np.concatenate([np.arange(other[p], other[p + 1]) for _, p in pairs])
    return torch.from_numpy(target), torch.from_numpy(source)
