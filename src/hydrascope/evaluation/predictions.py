"""All answers on a set of windows, with the truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hydrascope.data.batch import TrainingBatch
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas import fitness
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
        right: [R]; the estimated probability that the answer is right. None from a diagnoser that
            does not judge its input.
    """

    window: Tensor
    component: Tensor
    right: Tensor | None = None

    def where(self, chosen: Tensor) -> "LocatedPredictions":
        """Return the rows that `chosen` selects: an [R] bool mask, or positions."""
        return LocatedPredictions(
            self.prediction[chosen],
            self.target[chosen],
            self.window[chosen],
            self.component[chosen],
            None if self.right is None else self.right[chosen],
        )


def predict(
    diagnoser: TensorDiagnoser, batches: Iterable[TrainingBatch]
) -> dict[str, LocatedPredictions]:
    """Run the diagnoser on batches; keep for each head the rows with at least one label."""
    kept: dict[str, list[LocatedPredictions]] = {head.name: [] for head in diagnoser.heads}
    for batch in batches:
        answers = diagnoser.predict(batch.inputs)
        for head in diagnoser.heads:
            target, right = batch.targets[head.name], answers.get(fitness.right(head.name))
            rows = LocatedPredictions(
                answers[head.name],
                target,
                *_places(batch, head.level),
                None if right is None else right.squeeze(1),
            )
            kept[head.name].append(rows.where(~target.isnan().all(dim=1)))
    return {name: _together(parts) for name, parts in kept.items()}


def joined(parts: Sequence[Mapping[str, LocatedPredictions]]) -> dict[str, LocatedPredictions]:
    """Concatenate the rows of several parts, which all have the same heads."""
    return {name: _together([part[name] for part in parts]) for name in parts[0]}


def _together(parts: Sequence[LocatedPredictions]) -> LocatedPredictions:
    rights = [part.right for part in parts if part.right is not None]
    return LocatedPredictions(
        torch.cat([part.prediction for part in parts]),
        torch.cat([part.target for part in parts]),
        torch.cat([part.window for part in parts]),
        torch.cat([part.component for part in parts]),
        torch.cat(rights) if rights else None,
    )


def complete(rows: LocatedPredictions) -> LocatedPredictions:
    """Return the rows that have all their labels."""
    return rows.where(~rows.target.isnan().any(dim=1))


def _places(batch: TrainingBatch, level: HeadLevel) -> tuple[Tensor, Tensor]:
    """Return the window and the component of each row of a head's answers."""
    if level is HeadLevel.MACHINE:
        return batch.window, torch.full_like(batch.window, -1)
    return batch.window[batch.inputs.component_graph], batch.inputs.component_place
