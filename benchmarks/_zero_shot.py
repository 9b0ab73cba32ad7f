"""What a network that was trained on other circuits says of the fleet's four kinds."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from benchmarks._fleet_runs import settings_of
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.calibration import bin_sums, expected_error, questions
from hydrascope.evaluation.localisation import localisation
from hydrascope.evaluation.predictions import LocatedPredictions, predict
from hydrascope.experiment.assemble import build_datamodule, load_checkpoint, parts_of
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.training.checkpoint import read_checkpoint


class ZeroShot(NamedTuple):
    """The figures of one kind of machine."""

    macro_f1: float
    auroc: float
    """The mean over the faults that some windows have."""
    ece: float
    """Expected calibration error of the probability of a fault, the mean over the faults."""
    health: float
    """The mean absolute error."""
    first: float
    """The share of windows with a fault whose faulty component is named first."""
    macro_f1_draws: Sequence[float]
    """The macro-F1 of machines that are drawn with replacement."""


_DRAWS = 500


def judged_fleet(ckpt: Path, *overrides: str) -> tuple[TensorDiagnoser, HydraulicDataModule]:
    """Return a checkpoint's network and all windows of machines that it has never seen.

    Args:
        ckpt: The checkpoint.
        overrides: Which machines: keys of a training whose `data.source` is taken.
    """
    checkpoint = read_checkpoint(ckpt)
    parts = parts_of(checkpoint)
    diagnoser = load_checkpoint(parts.recipe, checkpoint)
    settings = TrainSettings.model_validate(checkpoint.record["settings"])
    fleet = settings_of(*overrides).data
    changed = settings.data.model_copy(update={"source": fleet.source, "store": fleet.store})
    data = build_datamodule(changed, settings.features, settings.task, settings.seed)
    data.read_as(parts.recipe.input_spec, "any")
    data.judge_all()
    data.setup()
    return diagnoser, data


def zero_shot(ckpt: Path, *overrides: str) -> dict[str, ZeroShot]:
    """Return the figures by kind; flags are raised from the thresholds of the training."""
    diagnoser, data = judged_fleet(ckpt, *overrides)
    predictions = predict(diagnoser, data.test_dataloader())
    kinds = data.table["kind"].to_numpy()
    found = {}
    for kind in sorted(set(kinds)):
        rows = data.split.test[kinds[data.split.test] == kind]
        found[str(kind)] = _figures(diagnoser, data, predictions, rows)
    return found


def _figures(
    diagnoser: TensorDiagnoser,
    data: HydraulicDataModule,
    predictions: dict[str, LocatedPredictions],
    rows: NDArray[np.int64],
) -> ZeroShot:
    own = {
        name: each.where(torch.from_numpy(np.isin(each.window.numpy(), rows)))
        for name, each in predictions.items()
    }
    (head,) = (head for head in diagnoser.heads if head.name == "anomalies")
    f1, auroc, ece, counts = [], [], [], []
    machine = data.table[EQUIPMENT].to_numpy()[own[head.name].window.numpy()]
    for question in questions(head, own[head.name]):
        flags = question.confidence >= diagnoser.thresholds[question.name]
        f1.append(f1_score(question.right, flags, zero_division=0.0))
        counts.append(_by_machine(question.right, flags, machine))
        if 0 < question.right.sum() < len(question.right):
            auroc.append(roc_auc_score(question.right, question.confidence))
        ece.append(expected_error(bin_sums(question).sum(0)))
    health = own["health"]
    error = (health.prediction[:, 0] - health.target[:, 0]).abs().mean()
    bootstrap = Bootstrap.of(data.unit, data.units, rows)
    located = localisation(diagnoser.heads, own, data, bootstrap, "network")
    assert located is not None
    first = located["judged"]["network"]["top1"]["value"]
    return ZeroShot(
        float(np.mean(f1)),
        float(np.mean(auroc)),
        float(np.mean(ece)),
        float(error),
        first,
        _draws(np.stack(counts, axis=1)),
    )


def _by_machine(
    right: NDArray[np.bool_], flags: NDArray[np.bool_], machine: NDArray[np.object_]
) -> NDArray[np.int64]:
    """Return the hits, false alarms and misses of each machine, [M, 3]."""
    _, number = np.unique(machine, return_inverse=True)
    found = np.zeros((number.max() + 1, 3), np.int64)
    for column, each in enumerate((right & flags, ~right & flags, right & ~flags)):
        np.add.at(found[:, column], number, each)
    return found


def _draws(counts: NDArray[np.int64]) -> list[float]:
    """Return the macro-F1 of machines that are drawn with replacement.

    Args:
        counts: Hits, false alarms and misses of each machine and fault, [M, L, 3].
    """
    machines = len(counts)
    times = np.random.default_rng(0).multinomial(machines, [1 / machines] * machines, _DRAWS)
    hits, alarms, misses = np.tensordot(times, counts, 1).transpose(2, 0, 1)
    f1 = 2 * hits / np.maximum(2 * hits + alarms + misses, 1)
    drawn: list[float] = f1.mean(1).tolist()
    return drawn
