"""The fit of `models.fitness` after a training.

Reliability is fitted on held-out windows with sensors removed or exchanged.

Shapes: as in `models.fitness.reliability`; also W windows.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.disturbances import one_exchanged, some_removed
from hydrascope.evaluation.nonconformity import nonconformity
from hydrascope.evaluation.reliability_limits import joint_limits
from hydrascope.models.blocks.sensor_layout import sensor_graph
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.fitness.reliability import features
from hydrascope.models.fitness.screening import Fitness, Screened, without
from hydrascope.models.layers.segment import segment_min, segment_sum
from hydrascope.schemas.calibration import FLAG_PROBABILITY
from hydrascope.schemas.fitness import UNLIKE
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec
from hydrascope.tasks.metrics import predicted_class
from hydrascope.training.fit_plausibility import fit_plausibility

_WINDOWS = 512
"""The most held-out windows that are used; of more, so many are drawn."""
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""The shares of the sensors that are removed at random, in turn."""
_EXCHANGES = 4
"""The number of times that a sensor of each window is exchanged."""
_UNUSUAL = 0.02
"""The share of undisturbed held-out windows that may have an answer below its head's limit."""
_UNDISTURBED = 4096
"""The most held-out windows that decide the limits: what is rare among windows needs many."""
_TOLERANCE = 0.02
"""The distance by which the probability of a reliable answer may lie below the limit. Without it,
one missing sensor would make all answers of a regression unreliable, since they have no
confidence."""
_SURE = 0.9
"""An answer that is right with this probability is reliable in any case."""
_FEWEST = 20
"""The fewest labelled held-out rows of a head; with fewer it stays as it is."""
_BATCH = 64


def fit_fitness(diagnoser: TensorDiagnoser, data: HydraulicDataModule, seed: int) -> Fitness:
    """Fit the fitness of a trained, calibrated diagnoser's inputs.

    Args:
        diagnoser: Trained without the validation windows.
        data: The data that it was trained on.
        seed: Decides which windows are used.
    """
    fitness = Fitness(data.input_spec, data.task.heads)
    train, val = data.split.train, data.split.val
    # Reliability is judged with statistics that do not know the windows that it is fitted on.
    fit_plausibility(fitness.plausibility, data, train, seed)
    fit_reliability(diagnoser, fitness, data, seed)
    fit_plausibility(fitness.plausibility, data, np.concatenate([train, val]), seed)
    return fitness


class _Rows(NamedTuple):
    """Answers of one head under one way of removing sensors."""

    features: Tensor
    """[R, K]"""
    right: Tensor
    """[R] bool"""


@torch.no_grad()
def fit_reliability(
    diagnoser: TensorDiagnoser, fitness: Fitness, data: HydraulicDataModule, seed: int
) -> None:
    """Fit the reliances, the weights and the limits on validation windows.

    Args:
        diagnoser: Trained and calibrated, without the validation windows.
        fitness: Its reliability is fitted; its plausibility has been, without these windows.
        data: The data module, set up.
        seed: Decides which windows and sensors are drawn.
    """
    random, reliability = np.random.default_rng(seed), fitness.reliability
    batches = list(_drawn(data, _WINDOWS, random))
    _fit_reliance(diagnoser, fitness, batches, data.input_spec.component_heads)
    generator = torch.Generator().manual_seed(seed)
    # A removed sensor leaves the others as they are, so it is removed after the screening.
    screened = [fitness.screen(batch.inputs) for batch in batches]
    undisturbed = _rows(diagnoser, fitness, batches, screened)
    disturbed = []
    for share in _SHARES:
        removed = [
            each._replace(inputs=some_removed(each.inputs, share, generator)) for each in screened
        ]
        disturbed.append(_rows(diagnoser, fitness, batches, removed))
    for _ in range(_EXCHANGES):
        exchanged = [fitness.screen(one_exchanged(batch.inputs, generator)) for batch in batches]
        disturbed.append(_rows(diagnoser, fitness, batches, exchanged))
    judged = []
    for number, head in _answered(diagnoser, fitness):
        own = undisturbed[head.name]
        if len(own.right) < _FEWEST:
            continue
        # As many undisturbed answers as disturbed ones.
        parts = [own] * len(disturbed) + [each[head.name] for each in disturbed]
        x = torch.cat([each.features for each in parts]).double().numpy()
        y = torch.cat([each.right for each in parts]).numpy()
        if y.all() or not y.any():
            continue
        fitted = LogisticRegression(fit_intercept=False, C=1.0, max_iter=1000).fit(x, y)
        reliability.weights[number] = torch.from_numpy(fitted.coef_[0]).float()
        judged.append(number)
    if judged:
        names = data.input_spec.component_heads
        lowest = torch.cat(
            [
                _lowest(diagnoser, fitness, batch, names)
                for batch in _drawn(data, _UNDISTURBED, random)
            ],
            1,
        )
        limits = joint_limits(lowest[judged], _UNUSUAL)
        reliability.least[judged] = (limits - _TOLERANCE).clamp(max=_SURE)


def _drawn(
    data: HydraulicDataModule, most: int, random: np.random.Generator
) -> Iterator[TrainingBatch]:
    """Yield the validation windows, in batches; of more than `most`, so many are drawn."""
    rows = data.split.val
    if len(rows) > most:
        rows = random.choice(rows, most, replace=False)
    rows = random.permutation(rows)  # so that the windows of a batch are of many machines
    for first in range(0, len(rows), _BATCH):
        yield data.dataset.gather(rows[first : first + _BATCH])


def _answered(diagnoser: TensorDiagnoser, fitness: Fitness) -> list[tuple[int, HeadSpec]]:
    """Return the answered heads with their numbers among all; a closed form may lack some."""
    names = {head.name for head in diagnoser.heads}
    return [each for each in enumerate(fitness.reliability.heads) if each[1].name in names]


def _fit_reliance(
    diagnoser: TensorDiagnoser,
    fitness: Fitness,
    batches: Sequence[TrainingBatch],
    component_heads: Sequence[str],
) -> None:
    """Set how far the answers move without each sensor; the sensors of a build take turns."""
    reliability, slots = fitness.reliability, fitness.reliability.slots
    moved = torch.zeros(len(reliability.heads), slots)
    count = torch.zeros(slots)
    role = torch.zeros(slots, dtype=torch.int64)
    for batch in batches:
        inputs, graphs = batch.inputs, len(batch.window)
        answers = diagnoser.plain(inputs)
        role[inputs.sensor_slot] = inputs.sensor_role
        graph = sensor_graph(inputs)
        first = torch.searchsorted(graph, torch.arange(graphs))
        place = torch.arange(len(graph)) - first[graph]
        for turn in range(int(place.max()) + 1):
            removed = (place == turn) & inputs.sensor_observed.any(1)
            other = diagnoser.plain(without(inputs, removed))
            slot, own = inputs.sensor_slot[removed], graph[removed]
            count.index_add_(0, slot, torch.ones(len(slot)))
            for number, head in _answered(diagnoser, fitness):
                distance = _distance(head, answers[head.name], other[head.name])
                if head.level is HeadLevel.COMPONENT:
                    applies = inputs.component_heads[:, component_heads.index(head.name)]
                    distance = segment_sum(distance * applies, inputs.component_graph, graphs)
                moved[number].index_add_(0, slot, distance[own])
    reliance = moved / count.clamp(min=1.0)
    seen = count > 0
    overall = reliance[:, seen].mean(1, keepdim=True)
    reliability.reliance.copy_(F.pad(torch.where(seen, reliance, overall), (0, 1)))
    roles = reliability.role_reliance.shape[1]
    total, of_role = (torch.zeros(len(reliance), roles) for _ in range(2))
    total.index_add_(1, role[seen], reliance[:, seen])
    of_role.index_add_(1, role[seen], torch.ones_like(reliance[:, seen]))
    reliability.role_reliance.copy_(torch.where(of_role > 0, total / of_role, overall))


def _lowest(
    diagnoser: TensorDiagnoser,
    fitness: Fitness,
    batch: TrainingBatch,
    component_heads: Sequence[str],
) -> Tensor:
    """Return the lowest probability of being right of each head's answers to a window, [H, W]."""
    screened, graphs = fitness.screen(batch.inputs), len(batch.window)
    inputs, reliability = screened.inputs, fitness.reliability
    trust = reliability(inputs, screened.excess, diagnoser.plain(inputs))
    lowest = torch.full((len(reliability.heads), graphs), torch.inf)
    for number, head in _answered(diagnoser, fitness):
        right = trust[head.name].right[:, 0]
        if head.level is HeadLevel.COMPONENT:
            applies = inputs.component_heads[:, component_heads.index(head.name)]
            right = segment_min(right, inputs.component_graph, graphs, applies, torch.inf)
        lowest[number] = right
    return lowest


def _distance(head: HeadSpec, answer: Tensor, other: Tensor) -> Tensor:
    """Return how far answers moved, [R]: the total variation, or the mean absolute difference."""
    difference = (answer - other).abs()
    return difference.sum(1) / 2 if head.classes else difference.mean(1)


def _rows(
    diagnoser: TensorDiagnoser,
    fitness: Fitness,
    batches: Sequence[TrainingBatch],
    screened: Sequence[Screened],
) -> dict[str, _Rows]:
    """Return the labelled answers of each head to batches that were screened, or also disturbed."""
    found: dict[str, list[_Rows]] = {head.name: [] for _, head in _answered(diagnoser, fitness)}
    for batch, (inputs, findings, excess) in zip(batches, screened, strict=True):
        alike = findings[UNLIKE][:, 0] == 0
        answers, shares = diagnoser.plain(inputs), fitness.reliability.missing_share(inputs)
        for number, head in _answered(diagnoser, fitness):
            graph = torch.arange(len(alike))
            if head.level is HeadLevel.COMPONENT:
                graph = inputs.component_graph
            target = batch.targets[head.name]
            rows = alike[graph] & ~target.isnan().any(1)
            own, answer = graph[rows], answers[head.name][rows]
            row = features(head, answer, shares[number][own], excess[own])
            right = _right(diagnoser, head, answer, target[rows])
            found[head.name].append(_Rows(row, right))
    return {
        name: _Rows(*(torch.cat(each) for each in zip(*parts, strict=True)))
        for name, parts in found.items()
    }


def _right(diagnoser: TensorDiagnoser, head: HeadSpec, answer: Tensor, target: Tensor) -> Tensor:
    """Return which answers are right, [R] bool: the outcome, or the interval of a regression."""
    if head.kind is HeadKind.REGRESSION:
        margins = diagnoser.calibration.spec.conformal.margins if diagnoser.calibration else {}
        margin = torch.tensor(margins.get(head.name, (torch.inf,)), dtype=torch.float64)
        return (nonconformity(head, answer, target) <= margin).all(1)
    if head.kind is HeadKind.MULTI_LABEL:
        return ((answer > FLAG_PROBABILITY) == (target == 1)).all(1)
    return predicted_class(head, answer) == target[:, 0]
