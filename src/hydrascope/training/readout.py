"""Fitting the readout when the network's training has ended."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.stored_machine import StoredMachine, of_one_build
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.kernel.config import DiscriminantConfig, LinearConfig
from hydrascope.models.kernel.fit import LabelledRows, solve, train_metric, with_transplants
from hydrascope.models.kernel.metric import LearnedMetric
from hydrascope.models.kernel.questions import choose_questions
from hydrascope.models.kernel.readout import DiscriminantReadout, Draw
from hydrascope.models.kernel.rows import (
    Rows,
    dense,
    embedding_scale,
    feature_scale,
    place_of,
)
from hydrascope.models.kernel.transplant import draw_transplants
from hydrascope.models.linear import LinearReadout
from hydrascope.schemas.errors import SpecError
from hydrascope.training.linear_readout import fit_linear, is_answered

_BATCH = 256
"""Windows read at once."""


class FittedReadout(NamedTuple):
    """What came of it.

    `readout` is None where the network's own heads answer everything.
    """

    readout: DiscriminantReadout | LinearReadout | None
    unanswered: dict[str, str]
    """Heads that the network's own heads answer → why."""


class _Windows(NamedTuple):
    features: Tensor
    """[n, P, T, F] float64; 0 where not observed."""
    observed: Tensor
    """[n, P, T] bool."""
    embedding: Tensor
    """[n, Z] float64; Z = 0 where it is not used."""


def check_one_build(machines: Sequence[StoredMachine]) -> None:
    """Refuse machines of several builds: a row of features would have no fixed meaning."""
    if not of_one_build(machines):
        raise SpecError(
            "readout: discriminant needs machines of one topology; set readout=heads or linear"
        )


def fit_readout(
    diagnoser: Diagnoser,
    data: HydraulicDataModule,
    config: DiscriminantConfig | LinearConfig,
    seed: int,
    windows: NDArray[np.int64] | None = None,
) -> FittedReadout:
    """Fit the readout on the training and validation windows.

    On both, as the classical models are: when it is fitted nothing is left to validate. Another
    one, on the training windows alone, is what a calibration is fitted on.

    Args:
        diagnoser: Trained, without a readout.
        data: Of machines of one build, for the discriminant.
        config: How.
        seed: The readout is a function of the windows, the network and this.
        windows: What it is fitted on; None: training and validation windows.

    Raises:
        SpecError: The network has no embedding, and the config asks for it.
    """
    both = np.concatenate((data.split.train, data.split.val))
    split = np.sort(both if windows is None else windows)
    if isinstance(config, LinearConfig):
        others = [head.name for head in data.task.heads if not is_answered(head)]
        reason = "it has no labels of whole machines"
        return FittedReadout(fit_linear(data, split, config.ridge), dict.fromkeys(others, reason))
    chosen = choose_questions(data.task.heads, _targets(data, split))
    if len(chosen.rows) > config.max_rows:
        split = split[chosen.rows.numpy()][_spread(chosen.combination, config.max_rows, seed)]
        chosen = choose_questions(data.task.heads, _targets(data, split))
    if not chosen.questions:
        return FittedReadout(None, chosen.unanswered)
    label, combination = chosen.label, chosen.combination
    read = _read(diagnoser, data, split[chosen.rows.numpy()], config)

    scale = feature_scale(read.features, read.observed, combination, diagnoser.normalizer.per_step)
    features = scale.apply(read.features, read.observed).flatten(1)
    if config.inputs == "embedding":
        features = features[:, :0]
    of_embedding = embedding_scale(read.embedding, combination)
    embedding = (read.embedding - of_embedding.center) * of_embedding.inverse
    support = Rows(features, embedding)
    rows = LabelledRows(support, label, combination)

    _, places, steps = read.observed.shape
    families = _families(data.input_spec.feature_names)
    metric = LearnedMetric(
        places,
        steps,
        families,
        features=config.inputs != "embedding",
        embedding=config.inputs != "features",
    )
    random = np.random.default_rng(seed)
    drawn = [
        draw_transplants(combination.numpy(), config.transplants, random)
        for _ in range(config.draws)
    ]
    train_metric(metric, with_transplants(rows, drawn[0]), chosen.questions, config, random)
    draws = [Draw(added, solve(metric, rows, added, chosen.questions)) for added in drawn]
    readout = DiscriminantReadout.of(chosen.questions, scale, of_embedding, support, metric, draws)
    return FittedReadout(readout, chosen.unanswered)


def _targets(data: HydraulicDataModule, rows: NDArray[np.int64]) -> dict[str, Tensor]:
    """Return the targets of windows `rows`, ascending, [W, N, L]."""
    located = data.dataset.locate(rows)
    return {
        head.name: torch.cat([machine.targets[head.name][local] for machine, local in located])
        for head in data.task.heads
    }


def _spread(combination: Tensor, count: int, seed: int) -> NDArray[np.int64]:
    """Return `count` positions, ascending: equally many of each combination, as far as it goes."""
    shuffled = np.random.default_rng((seed, 2)).permutation(len(combination))
    # How many of its combination come before each window: the first of all, then the second …
    mixed = combination.numpy()[shuffled]
    order = np.argsort(mixed, kind="stable")
    size = np.bincount(mixed)
    rank = np.empty(len(mixed), np.int64)
    rank[order] = np.arange(len(mixed)) - np.repeat(np.cumsum(size) - size, size)
    return np.sort(shuffled[np.argsort(rank, kind="stable")[:count]])


def _read(
    diagnoser: Diagnoser,
    data: HydraulicDataModule,
    rows: NDArray[np.int64],
    config: DiscriminantConfig,
) -> _Windows:
    """Read windows, and what the network makes of them where that is used."""
    places = len(data.input_spec.sensor_slots)
    training = diagnoser.training
    diagnoser.eval()
    parts: list[_Windows] = []
    for first in range(0, len(rows), _BATCH):
        inputs = data.dataset.gather(rows[first : first + _BATCH]).inputs
        graphs, place = len(inputs.graph_id), place_of(inputs, places)
        observed = inputs.sensor_observed
        features = torch.where(observed.unsqueeze(-1), inputs.sensor_features, 0.0).double()
        embedding = features.new_zeros((graphs, 0))
        if config.inputs != "features":
            with torch.no_grad():
                found = diagnoser.raw(inputs).embedding
            if found is None:
                raise SpecError(
                    f"readout.inputs: {config.inputs!r} needs a network with an embedding; "
                    "accepted with this one: 'features'"
                )
            embedding = found.double()
        laid_out = dense(features, place, graphs, places)
        parts.append(_Windows(laid_out, dense(observed, place, graphs, places), embedding))
    diagnoser.train(training)
    return _Windows(*(torch.cat(each) for each in zip(*parts, strict=True)))


def _families(names: Sequence[str]) -> list[int]:
    """Return each feature's family: `patch_0` and `patch_1` are of one, `mean` is its own."""
    stems = [name.rstrip("0123456789.").rstrip("_") for name in names]
    number = {stem: i for i, stem in enumerate(dict.fromkeys(stems))}
    return [number[stem] for stem in stems]
