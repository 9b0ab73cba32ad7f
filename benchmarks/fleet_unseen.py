"""Kinds of machines that training has not shown: each of the four held out in turn.

`python -m benchmarks fleet_unseen` trains `experiment=fleet_unseen_kind` with each fold, if that
has not been done (outputs/fleet/unseen), and fits LightGBM on the same windows. `--write` puts the
tables into docs/results.md.
"""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import RUNS, figures, train
from benchmarks._fleet_trees import (
    FAULTS,
    Array,
    fit_trees,
    flagged,
    mean_answer,
    mean_auroc,
    scores,
    truth_of,
)
from benchmarks._rows import Row, at_least
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.evaluation.predictions import predict
from hydrascope.experiment.restore import Restored, restore
from hydrascope.models.blocks.role_rows import RoleRows
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.schemas.task import HEALTH
from hydrascope.simulation.fleet_settings import KINDS

ROLES = "role_rows"
"""What `experiment=fleet_unseen_kind` trains."""
POOLED, BY_ROLE, MEAN = "LightGBM, pooled", "LightGBM, the same rows", "the mean"
GOAL_F1, GOAL_AUROC = 0.50, 0.85

Found = dict[str, dict[str, float | None]]
"""Model → metric → value."""


def run() -> list[Row]:
    """Train what is missing; the means of four are to reach the goals and to be ahead of trees."""
    means = _means(_folds())
    rows = []
    for metric, goal in (("macro-F1", GOAL_F1), ("AUROC", GOAL_AUROC)):
        value, trees = means[ROLES][metric], means[POOLED][metric]
        assert value is not None
        assert trees is not None
        name = f"kinds held out, mean of {len(KINDS)}: {metric} of {ROLES}"
        rows.append(at_least(name, value, "", max(goal, trees)))
    return rows


def write() -> Path:
    """Train what is missing and write docs/results.md."""
    folds = _folds()
    note = (
        "A kind of machine held out, the three others to train on; mean area under the ROC curve "
        f"of {len(FAULTS)} anomalies, and macro-F1 with thresholds from machines of known kinds. "
        "LightGBM, pooled: differences from the machine's reference windows, mean, least and "
        "largest over the sensors of a kind on components of a kind. LightGBM, the same rows: "
        "the numbers that role_rows reads. The mean: of the training windows. "
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; `python -m benchmarks fleet_unseen --write`."
    )
    lines = [
        "| model | metric | " + " | ".join([*folds, "mean"]) + " |",
        "|---" * (3 + len(folds)) + "|",
    ]
    means = _means(folds)
    for model, metrics in means.items():
        for metric in metrics:
            values = [*(found[model][metric] for found in folds.values()), means[model][metric]]
            cells = ("–" if value is None else f"{value:.3f}" for value in values)
            lines.append(f"| {model} | {metric} | {' | '.join(cells)} |")
    path = ROOT / "docs" / "results.md"
    replace_section(path, "fleet unseen", "\n".join((note, "", *lines)))
    return path


def _means(folds: Mapping[str, Found]) -> Found:
    first = next(iter(folds.values()))
    means: Found = {}
    for model, metrics in first.items():
        means[model] = {}
        for metric in metrics:
            values = [found[model][metric] for found in folds.values()]
            known = [value for value in values if value is not None]
            means[model][metric] = fmean(known) if len(known) == len(values) else None
    return means


def _folds() -> dict[str, Found]:
    """Return what is found of each held-out kind, by its name; kept beside its training."""
    found = {}
    for fold in range(len(KINDS)):
        folder = RUNS / "unseen" / f"fold{fold}"
        results = train(folder, "experiment=fleet_unseen_kind", f"data.fold={fold}")
        kept = folder / "unseen.json"
        if not kept.exists():
            restored = restore(str(folder / "checkpoints" / "best.ckpt"))
            kind = str(restored.data.table["kind"].iloc[restored.data.split.test[0]])
            ours = figures(results, ROLES)
            models: Found = {
                ROLES: {
                    "macro-F1": ours.macro_f1,
                    "AUROC": _network_auroc(restored),
                    "health, MAE": ours.health,
                    "faulty component named first": ours.located,
                },
                POOLED: _trees(restored.data, *_pooled(restored.data)),
                BY_ROLE: _trees(restored.data, *_by_role(restored)),
                MEAN: _mean(restored.data),
            }
            kept.write_text(json.dumps({"kind": kind, "models": models}), encoding="utf-8")
        stored = json.loads(kept.read_text(encoding="utf-8"))
        found[stored["kind"]] = stored["models"]
    return found


def _network_auroc(restored: Restored) -> float:
    """Return the mean area of the network's anomalies on the test windows."""
    data = restored.data
    rows = predict(restored.diagnoser, data.test_dataloader())["anomalies"]
    said = {name: np.full(len(data.table), np.nan) for name in FAULTS}
    for number, name in enumerate(FAULTS):
        said[name][rows.window.numpy()] = rows.prediction[:, number].numpy()
    return mean_auroc(truth_of(data), said, data.split.test)


def _trees(
    data: HydraulicDataModule, flat: NDArray[np.float32], rows: NDArray[np.int64]
) -> dict[str, float | None]:
    """Return what trees reach on rows of numbers of windows `rows`."""
    truth = truth_of(data)
    learned = np.isin(rows, data.split.train)
    said: dict[str, Array] = {name: np.full(len(data.table), np.nan) for name in truth}
    for name in (*FAULTS, HEALTH):
        target = truth[name]
        is_fault = name in FAULTS
        fitted = fit_trees(flat[learned], target[rows[learned]], flat[~learned], is_fault)
        said[name][rows[~learned]] = fitted
    reached = scores(data, truth, flagged(data, truth, said))
    return {
        "macro-F1": reached.macro_f1,
        "AUROC": mean_auroc(truth, said, data.split.test),
        "health, MAE": reached.health,
        "faulty component named first": None,
    }


def _mean(data: HydraulicDataModule) -> dict[str, float | None]:
    reached = mean_answer(data)
    return {
        "macro-F1": reached.macro_f1,
        "AUROC": 0.5,
        "health, MAE": reached.health,
        "faulty component named first": None,
    }


def _windows(data: HydraulicDataModule) -> NDArray[np.int64]:
    return np.sort(np.concatenate(data.split)).astype(np.int64)


def _pooled(data: HydraulicDataModule) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return mean, least and largest difference from the references, by kinds, of all windows."""
    groups: dict[tuple[int, int], int] = {}
    rows, parts = _windows(data), []
    for machine in data.dataset.machines:
        layout = machine.layout
        kinds = layout.component_kind[layout.sensor_component]
        for pair in zip(layout.sensor_kind.tolist(), kinds.tolist(), strict=True):
            groups.setdefault(pair, len(groups))
    for machine, mine in data.dataset.locate(rows):
        layout, reference = machine.layout, machine.reference
        assert reference is not None
        seen = machine.read(SENSOR_OBSERVED, mine).numpy()[..., None]
        x = np.where(seen, machine.read(SENSOR_FEATURES, mine).numpy(), 0.0)
        x = x.sum(2) / np.maximum(seen.sum(2), 1) - reference.sensor_reference.numpy()[None, :, 0]
        kinds = layout.component_kind[layout.sensor_component]
        pairs = zip(layout.sensor_kind.tolist(), kinds.tolist(), strict=True)
        group = np.array([groups[pair] for pair in pairs])
        pooled = np.full((len(mine), len(groups), 3, x.shape[2]), np.nan, dtype=np.float32)
        for each in np.unique(group):
            part = x[:, group == each]
            pooled[:, each] = np.stack([part.mean(1), part.min(1), part.max(1)], axis=1)
        parts.append(pooled.reshape(len(mine), -1))
    return np.concatenate(parts), rows


@torch.no_grad()
def _by_role(restored: Restored) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the rows of roles that the network reads, of all windows."""
    model, rows, parts = restored.diagnoser.model, _windows(restored.data), []
    assert isinstance(model, UniversalTemporalGNN)
    assert model.rows is not None
    assert isinstance(model.rows.rows, RoleRows)
    for first in range(0, len(rows), 256):
        inputs = restored.data.dataset.gather(rows[first : first + 256]).inputs
        parts.append(model.rows.rows(restored.diagnoser.normalise(inputs)).machine.numpy())
    return np.concatenate(parts), rows
