"""All answers on a set of windows, beside the truth."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from hydrascope.data.batch import TrainingBatch
from hydrascope.models.diagnoser import Diagnoser


@dataclass(frozen=True)
class HeadPredictions:
    """One head's decoded answers and targets on its labelled rows; shapes as in `models.decode`."""

    prediction: Tensor
    target: Tensor


def predict(diagnoser: Diagnoser, batches: Iterable[TrainingBatch]) -> dict[str, HeadPredictions]:
    """Run the diagnoser over batches and keep, for each head, the rows that have a label."""
    kept: dict[str, list[tuple[Tensor, Tensor]]] = {head.name: [] for head in diagnoser.heads}
    for batch in batches:
        answers = diagnoser.predict(batch.inputs)
        for name, pairs in kept.items():
            target = batch.targets[name]
            labelled = ~target.isnan().all(dim=1)
            pairs.append((answers[name][labelled], target[labelled]))
    return {
        name: HeadPredictions(torch.cat([p for p, _ in pairs]), torch.cat([t for _, t in pairs]))
        for name, pairs in kept.items()
    }
