"""Remaining life of simulated machines, learned from others that ran to failure.

`python -m benchmarks remaining_life --write` trains `experiment=fleet_to_failure` with each seed,
if that has not been done (outputs/fleet/to_failure). It fits LightGBM, ridge and random forest on
the same windows, features, references and split, and writes the tables into docs/results.md.
Without `--write` the network is held against LightGBM.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks import _lives
from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import NETWORK, RUNS, train
from benchmarks._lives import INTERVAL, LIFE, Answers, Array
from benchmarks._rows import Row, at_most
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baseline_names import BaselineName
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.breakdown import metric_draws

EXPERIMENT = "experiment=fleet_to_failure"
SEEDS = (42, 43, 44)
TREES = "LightGBM"
BASELINES: Mapping[str, BaselineName] = {
    TREES: "lightgbm",
    "random forest": "random_forest",
    "ridge": "ridge",
}
MEAN, TOLD = "the mean of the training windows", "LightGBM on the true severities"
BANDS_H = (0, 250, 500, 1000)
"""The limits between which errors are shown by true remaining life; above, it counts as the cap."""


class Judged(NamedTuple):
    """The test figures of a model in hours, and their values in each draw of machines."""

    point: Mapping[str, float]
    drawn: Mapping[str, Array]
    truncated: float
    """The root mean squared error at one random window of each machine."""
    bands: Sequence[float]
    """The root mean squared error by true remaining life."""


def run() -> list[Row]:
    """Train what is missing; the network is to be as good as LightGBM with every seed."""
    judged, _ = _judged()
    trees = judged[TREES].point["rmse"]
    return [
        at_most(f"remaining life, RMSE of {name}", found.point["rmse"], "h", trees)
        for name, found in judged.items()
        if name.startswith(NETWORK)
    ]


def write() -> Path:
    """Train what is missing and write docs/results.md."""
    judged, data = _judged()
    path = ROOT / "docs" / "results.md"
    replace_section(path, "remaining life", "\n".join((_note(data), "", *tables(judged))))
    return path


def _judged() -> tuple[dict[str, Judged], HydraulicDataModule]:
    runs = [RUNS / "to_failure" / f"seed{seed}" for seed in SEEDS]
    for seed, folder in zip(SEEDS, runs, strict=True):
        train(folder, EXPERIMENT, f"seed={seed}")
    named = {f"{NETWORK}, seed {seed}": run for seed, run in zip(SEEDS, runs, strict=True)}
    return compare(named, RUNS / "to_failure")


def compare(
    runs: Mapping[str, Path], folder: Path
) -> tuple[dict[str, Judged], HydraulicDataModule]:
    """Judge trained networks and what stands beside them on the same rows.

    Args:
        runs: Name → folder of a training; all have the same data and split.
        folder: Where the baselines' answers are kept.
    """
    found: dict[str, Answers] = {}
    for name, run_dir in runs.items():
        restored, found[name] = _lives.of_network(run_dir)
    data, normalizer = restored.data, restored.diagnoser.normalizer
    for name, baseline in BASELINES.items():
        found[name] = _lives.of_baseline(baseline, data, normalizer, folder)
    found[MEAN] = _lives.of_training_mean(data)
    found[TOLD] = _lives.of_true_severities(data)
    return {name: judge(data, answers) for name, answers in found.items()}, data


def judge(data: HydraulicDataModule, answers: Answers) -> Judged:
    """Return the figures of a model; draws resample whole machines."""
    heads = {head.name: head for head in data.task.heads}
    bootstrap = Bootstrap.of(data.unit, data.units, data.split.test)
    point, drawn = {}, {}
    for name, metrics in ((LIFE, ("rmse", "mae", "r2")), (INTERVAL, ("interval_score",))):
        values, draws = metric_draws(heads[name], answers[name], bootstrap, ())
        for metric in metrics:
            scale = 1.0 if metric == "r2" else 1e3
            point[metric], drawn[metric] = scale * float(values[metric]), scale * draws[metric]
    low, high = answers[INTERVAL].prediction[:, [0, -1]].T
    target = answers[INTERVAL].target[:, 0]
    point["coverage"] = float(((low <= target) & (target <= high)).double().mean())
    rows = answers[LIFE]
    squared = (1e3 * (rows.prediction[:, 0] - rows.target[:, 0])).double().numpy() ** 2
    units = data.units[data.split.test]
    of_machines = [squared[units == unit].mean() for unit in np.unique(units)]
    true_h = 1e3 * rows.target[:, 0].double().numpy()
    band = np.digitize(true_h + 1e-3, BANDS_H) - 1
    bands = [np.sqrt(squared[band == each].mean()) for each in range(len(BANDS_H))]
    return Judged(point, drawn, float(np.sqrt(np.mean(of_machines))), bands)


def tables(judged: Mapping[str, Judged]) -> list[str]:
    """Return the lines of the tables."""
    limits = [*(f"{low} – {high}" for low, high in pairwise(BANDS_H)), f"≥ {BANDS_H[-1]}"]
    lines = [
        "| model | RMSE in h | beside LightGBM | MAE in h | R² | RMSE at a random window of each "
        "machine | interval score in h | truth inside |",
        "|---" * 8 + "|",
        *(f"| {name} | {_cells(found, judged[TREES])} |" for name, found in judged.items()),
        "",
        "RMSE in h by true remaining life in h:",
        "",
        f"| model | {' | '.join(limits)} |",
        "|---" * (1 + len(limits)) + "|",
    ]
    for name, found in judged.items():
        lines.append(f"| {name} | {' | '.join(f'{value:.0f}' for value in found.bands)} |")
    return lines


def _cells(found: Judged, trees: Judged) -> str:
    rmse, low, high = found.point["rmse"], *_interval(found.drawn["rmse"])
    ratio = _interval(100 * (found.drawn["rmse"] / trees.drawn["rmse"] - 1))
    beside = "–"
    if found is not trees:
        change = 100 * (rmse / trees.point["rmse"] - 1)
        beside = f"{change:+.1f} % ({ratio[0]:+.1f} to {ratio[1]:+.1f})"
    point = found.point
    return (
        f"{rmse:.1f} ({low:.1f} – {high:.1f}) | {beside} | {point['mae']:.1f} | {point['r2']:.3f} "
        f"| {found.truncated:.1f} | {point['interval_score']:.0f} | {100 * point['coverage']:.1f} %"
    )


def _interval(draws: Array) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _note(data: HydraulicDataModule) -> str:
    test = data.table.iloc[data.split.test]
    return (
        f"Machines never seen in training ({len(data.machines)} machines of "
        f"{data.table['kind'].nunique()} kinds, {test['equipment_id'].nunique()} of them tested by "
        f"{len(test)} windows of {data.window.window_s:g} s over their lives). In brackets 95 % "
        "intervals over test machines, paired for the differences. "
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; `python -m benchmarks remaining_life --write`."
    )
