"""The simulated fleet: how fast it is made, and how well its faults are found on unseen machines.

`python -m benchmarks fleet` measures the simulator. `python -m benchmarks fleet --write` simulates
and trains `experiment=fleet`, with the network and with `model=linear`, if they have not been
(outputs/fleet), fits LightGBM on the same windows, features and split, asks how far a single
feature gets, and writes the tables into docs/results.md.
"""

import json
import os
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import (
    EXPERIMENT,
    LINEAR,
    NETWORK,
    RUNS,
    Figures,
    figures,
    open_data,
    train,
)
from benchmarks._fleet_trees import FAULTS, kept_trees, mean_answer, rows_by_kind, truth_of
from benchmarks._rows import Row, at_most, resident_mb
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.localisation import FREQUENT
from hydrascope.simulation.build import load_kind
from hydrascope.simulation.fleet import draw_member
from hydrascope.simulation.fleet_settings import KINDS
from hydrascope.simulation.recording import Run

SEEDS = (42, 43, 44)
"""The seeds of the network's trainings."""
BATCH = 32
GOAL_S = 0.5
COLUMNS = (
    "macro-F1 of nine anomalies",
    "health, MAE",
    "remaining life, MAE in 1000 h",
    "faulty component named first",
)


def run(hours: float = 0.25, batch: int = BATCH, turns: int = 5) -> list[Row]:
    """Simulate a batch of machines of each kind for so long, on one core.

    Each kind's fastest of some turns counts: what else a computer does only makes code slower.
    """
    rows = []
    start = time.thread_time()
    robot = load_kind("robot")
    next(Run(draw_member(robot, 0, seed=0, fault_rate=0.0, life_h=1.0), 0, 0.0).pieces(1.0))
    rows.append(at_most("first call: compiling, or reading numba's cache", _since(start), "s"))
    taken = [[_machine_hour_s(kind, hours, batch) for kind in KINDS] for _ in range(turns)]
    for kind, times in zip(KINDS, zip(*taken, strict=True), strict=True):
        name = f"{kind}: a machine-hour in a batch of {batch}, fastest of {turns}"
        rows.append(at_most(name, min(times), "s", GOAL_S))
    pieces = Run(draw_member(robot, 0, seed=0, fault_rate=2.5, life_h=2e3), 0, 0.0).pieces(86_400)
    for _ in range(60):
        next(pieces)
    before = resident_mb()
    for _ in pieces:
        pass
    grown = resident_mb() - before
    rows.append(at_most("memory that a day takes beyond its first hour", grown, "MB", 5))
    return rows


def _machine_hour_s(kind: str, hours: float, batch: int) -> float:
    taken = 0.0
    for number in range(batch):
        member = draw_member(load_kind(kind), number, seed=0, fault_rate=2.5, life_h=2e3)
        # Of one long recording: warming up is paid once, as in a day's telemetry.
        pieces = Run(member, 0, 1_000.0).pieces(3_600.0 * hours)
        next(pieces)
        start = time.thread_time()
        for _ in pieces:
            pass
        taken += _since(start)
    return taken / (batch * (hours - 1 / 60))


def _since(start: float) -> float:
    return time.thread_time() - start


def write() -> Path:
    """Train, compare, write docs/results.md."""
    networks = [_trained(NETWORK, f"seed={seed}") for seed in SEEDS]
    linear = _trained(LINEAR, f"model={LINEAR}")
    guess = networks[0]["localisation"]["judged"][FREQUENT]["top1"]["value"]
    data = open_data(EXPERIMENT)
    models = {
        **{f"{NETWORK}, seed {seed}": figures(each, NETWORK)
           for seed, each in zip(SEEDS, networks, strict=True)},
        f"the {FREQUENT} of each kind": Figures(located=guess),
        LINEAR: figures(linear, LINEAR),
        "LightGBM, one for each kind and target": kept_trees(RUNS / "trees.json", EXPERIMENT),
        "the mean of the training windows": mean_answer(data),
    }  # fmt: skip
    single = _single_features(data)
    seconds = _run_dir(NETWORK, f"seed={SEEDS[0]}") / "seconds.json"
    minutes = json.loads(seconds.read_text(encoding="utf-8")) / 60
    learned = len({*data.table["equipment_id"].iloc[data.split.train]})
    note = (
        f"Machines never seen in training ({len(data.machines)} machines of {len(KINDS)} kinds, "
        f"{learned} of them trained on, {len(data.split.test)} test windows of "
        f"{data.window.window_s:g} s). The first training, `python train.py experiment=fleet`, "
        f"took {minutes:.1f} min with everything, simulation of machines that were not in the "
        f"store included. {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} "
        f"cores, torch {torch.__version__}; `python -m benchmarks fleet --write`."
    )
    lines = [
        "| model | " + " | ".join(COLUMNS) + " |",
        "|---" * (1 + len(COLUMNS)) + "|",
        *(f"| {name} | {found.cells()} |" for name, found in models.items()),
        "",
        "The best single feature of a single sensor, by the area under its ROC curve (the highest "
        "of four kinds, over all windows; chance is 0.5):",
        "",
        "| " + " | ".join(single) + " |",
        "|---" * len(single) + "|",
        "| " + " | ".join(f"{value:.3f}" for value in single.values()) + " |",
    ]
    path = ROOT / "docs" / "results.md"
    replace_section(path, "fleet", "\n".join((note, "", *lines)))
    return path


def _trained(model: str, override: str) -> Mapping[str, Any]:
    """Return the results of one of our models, trained if it has not been."""
    return train(_run_dir(model, override), EXPERIMENT, override)


def _run_dir(model: str, override: str) -> Path:
    return RUNS / f"{model}-{override}"


def _single_features(data: HydraulicDataModule) -> dict[str, float]:
    """Return each fault's best area under the ROC curve over all sensors and features."""
    truth, best = truth_of(data), dict.fromkeys(FAULTS, 0.5)
    for features, rows in rows_by_kind(data):
        columns = features[..., : features.shape[2] // 2].reshape(len(rows), -1)
        for fault in FAULTS:
            known = truth[fault][rows]
            if len(np.unique(known)) < 2:
                continue
            for column in columns.T:
                if np.isfinite(column).all():
                    area = roc_auc_score(known, column)
                    best[fault] = max(best[fault], area, 1.0 - area)
    return best
