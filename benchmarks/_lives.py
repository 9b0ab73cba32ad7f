"""Answers to the remaining life of test machines, by a trained network and by others.

Shapes: R test windows, Q quantiles.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baseline_models import BASELINES
from hydrascope.evaluation.baseline_names import BaselineName
from hydrascope.evaluation.baselines import baseline_predictions
from hydrascope.evaluation.predictions import LocatedPredictions, predict
from hydrascope.experiment.restore import Restored, restore
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.schemas.task import HeadSpec

LIFE, INTERVAL = "remaining_life", "remaining_life_interval"
"""The heads: the mean, and the quantiles."""
SEED = 42
Answers = Mapping[str, LocatedPredictions]
"""Head → its rows, in the order of the test windows."""
Array = NDArray[np.float64]


def of_network(run_dir: Path) -> tuple[Restored, Answers]:
    """Return a trained network with its data, and its answers to the test windows."""
    restored = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    return restored, predict(restored.diagnoser, restored.data.test_dataloader())


def of_baseline(
    name: BaselineName, data: HydraulicDataModule, normalizer: FeatureNormalizer, folder: Path
) -> Answers:
    """Return the answers of a baseline, with a model for each kind of machine.

    They are kept in `folder`, since the fits take minutes.
    """
    kept = folder / f"{name}.npz"
    if not kept.exists():
        found = baseline_predictions(
            BASELINES[name], data.dataset.machines, data.split, data.task.heads, normalizer,
            data.units, SEED,
        )  # fmt: skip
        answers = {head: rows.prediction.numpy() for head, rows in found.items()}
        np.savez(kept, **answers)
    with np.load(kept) as answers:
        return _answered(data, lambda head: torch.from_numpy(answers[head.name]))


def of_training_mean(data: HydraulicDataModule) -> Answers:
    """Answer every window with the mean of the training windows, and with their quantiles."""
    learned, count = _learned(data), len(data.split.test)
    life = _targets(data)[learned]

    def answer(head: HeadSpec) -> Tensor:
        quantiles = np.quantile(life, head.quantiles) if head.quantiles else [life.mean()]
        return torch.tensor(np.asarray(quantiles), dtype=torch.float32).expand(count, -1)

    return _answered(data, answer)


def of_true_severities(data: HydraulicDataModule) -> Answers:
    """Return the answers of trees that read the true severity of every fault, and no telemetry."""
    import lightgbm  # of the extra `bench`

    learned, test, life = _learned(data), data.split.test, _targets(data)
    kinds = data.table["kind"].to_numpy()
    severities = data.table.filter(regex=r"\..*_severity$").to_numpy()
    settings = {"n_estimators": 150, "num_leaves": 15, "learning_rate": 0.05, "random_state": SEED}

    def fitted(**objective: object) -> Array:
        values = np.empty(len(test))
        for kind in np.unique(kinds[test]):
            train, asked = learned[kinds[learned] == kind], kinds[test] == kind
            trees = lightgbm.LGBMRegressor(**settings, **objective, n_jobs=1, verbose=-1)
            trees.fit(severities[train], life[train])
            values[asked] = trees.predict(severities[test[asked]])
        return values

    def answer(head: HeadSpec) -> Tensor:
        columns = [fitted(objective="quantile", alpha=each) for each in head.quantiles]
        return torch.tensor(np.sort(np.stack(columns or [fitted()], axis=1))).float()

    return _answered(data, answer)


def _answered(data: HydraulicDataModule, answer: Callable[[HeadSpec], Tensor]) -> Answers:
    """Return answers to the test windows, whose machines are in the order of their builds."""
    windows = data.split.test
    target = torch.from_numpy(_targets(data)[windows]).float().unsqueeze(1)
    place = torch.from_numpy(windows), torch.full((len(windows),), -1)
    return {head.name: LocatedPredictions(answer(head), target, *place) for head in data.task.heads}


def _targets(data: HydraulicDataModule) -> Array:
    """Return what the heads are asked of every window: the remaining life up to the cap."""
    (cap,) = {head.cap for head in data.task.heads}
    life: Array = data.table[LIFE].to_numpy(np.float64)
    return life if cap is None else np.minimum(life, cap)


def _learned(data: HydraulicDataModule) -> NDArray[np.int64]:
    return np.concatenate([data.split.train, data.split.val])
