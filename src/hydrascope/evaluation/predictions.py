"""All answers on a set of windows, with the truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hydrascope.data.batch import TrainingBatch
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.task import HeadLevel


@dataclass(frozen=True)
class HeadPredictions:
    """One head's decoded answers and targets on its labelled rows; shapes as in `models.decode`."""

    prediction: Tensor
    target: Tensor


@dataclass(frozen=True)
class LocatedPredictions(HeadPredictions):
    """Predictions with the window and the component of each row.

    Attributes:
        window: [R] int64; row of the window table.
        component: [R] int64; position among the machine's components, −1 at machine level.
    """

    window: Tensor
    component: Tensor

    def where(self, chosen: Tensor) -> "LocatedPredictions":
        """Return the rows that `chosen` selects: an [R] bool mask, or positions."""
        fields = (self.prediction, self.target, self.window, self.component)
        return LocatedPredictions(*(each[chosen] for each in fields))


def predict(
    diagnoser: TensorDiagnoser, batches: Iterable[TrainingBatch]
) -> dict[str, LocatedPredictions]:
    """Run the diagnoser on batches; keep for each head the rows with at least one label."""
    kept: dict[str, list[tuple[Tensor, ...]]] = {head.name: [] for head in diagnoser.heads}
    for batch in batches:
        answers = diagnoser.predict(batch.inputs)
        for head in diagnoser.heads:
            target = batch.targets[head.name]
            labelled = ~target.isnan().all(dim=1)
            found = (answers[head.name], target, *_places(batch, head.level))
            kept[head.name].append(tuple(each[labelled] for each in found))
    return {
        name: LocatedPredictions(*(torch.cat(each) for each in zip(*parts, strict=True)))
        for name, parts in kept.items()
    }


def joined(parts: Sequence[Mapping[str, LocatedPredictions]]) -> dict[str, LocatedPredictions]:
    """Concatenate the rows of several parts, which all have the same heads."""
    found = {}
    for name in parts[0]:
        rows = [(r.prediction, r.target, r.window, r.component) for r in (p[name] for p in parts)]
        found[name] = LocatedPredictions(*(torch.cat(each) for each in zip(*rows, strict=True)))
    return found


def complete(rows: LocatedPredictions) -> LocatedPredictions:
    """Return the rows that have all their labels."""
    return rows.where(~rows.target.isnan().any(dim=1))


def _places(batch: TrainingBatch, level: HeadLevel) -> tuple[Tensor, Tensor]:
    """Return the window and the component of each row of a head's answers."""
    if level is HeadLevel.MACHINE:
        return batch.window, torch.full_like(batch.window, -1)
    graph = batch.inputs.component_graph
    first = torch.searchsorted(graph, torch.arange(len(batch.window), device=graph.device))
    return batch.window[graph], torch.arange(len(graph), device=graph.device) - first[graph]
