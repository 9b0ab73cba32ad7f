"""Measure how much more machines of each kind help; all are judged on the same machines.

`python -m benchmarks fleet_curve` trains the network and `model=linear`, and fits LightGBM, on so
many machines of each kind of the fleet, if that has not been done (outputs/fleet/curve), and holds
the network against the others. `--write` puts the table into docs/results.md.
"""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import (
    EXPERIMENT,
    LINEAR,
    NETWORK,
    RUNS,
    Figures,
    figures,
    train,
)
from benchmarks._fleet_trees import kept_trees
from benchmarks._rows import Row, at_least

COUNTS = (320, 1_280, 5_120)
"""Machines of each kind that are trained and validated on."""
EPOCHS = (24, 12, 6)
"""Four times the machines have twice the steps."""
FOLDS = COUNTS[-1] // 320 + 1
FLEET = (
    EXPERIMENT,
    f"data.source.machines_per_kind={COUNTS[-1] + 320}",
    f"data.split.folds={FOLDS}",
)
"""The fleet: the machines of the largest count, and 320 more of each kind to judge all counts."""
TREES = "LightGBM"


def run() -> list[Row]:
    """Train what is missing; the network is to be ahead of both others."""
    rows = []
    for count, models in _curve().items():
        others = max(found.macro_f1 or 0.0 for name, found in models.items() if name != NETWORK)
        ours = models[NETWORK].macro_f1 or 0.0
        rows.append(at_least(f"{count} of a kind: macro-F1 of {NETWORK}", ours, "", others))
    return rows


def write() -> Path:
    """Train what is missing and write docs/results.md."""
    curve = _curve()
    note = (
        "Machines of each kind to train and validate on, in nested choices; the network's epochs: "
        f"{', '.join(map(str, EPOCHS))}. All are judged on the same 320 others of each kind, one "
        f"training each. {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, "
        f"{os.cpu_count()} cores, torch {torch.__version__}; `python -m benchmarks fleet_curve "
        "--write`."
    )
    lines = [
        "| machines of a kind | model | macro-F1 of nine anomalies | health, MAE | remaining life, "
        "MAE in 1000 h | faulty component named first |",
        "|---" * 6 + "|",
    ]
    for count, models in curve.items():
        lines += [f"| {count:,} | {name} | {found.cells()} |" for name, found in models.items()]
    path = ROOT / "docs" / "results.md"
    replace_section(path, "fleet curve", "\n".join((note, "", *lines)))
    return path


def _curve() -> dict[int, dict[str, Figures]]:
    found: dict[int, dict[str, Figures]] = {}
    for count, epochs in zip(COUNTS, EPOCHS, strict=True):
        folder = RUNS / "curve" / str(count)
        overrides = (*FLEET, f"data.split.share={count / COUNTS[-1]}")
        network = (*overrides, f"trainer.max_epochs={epochs}")
        found[count] = {
            NETWORK: figures(train(folder / NETWORK, *network), NETWORK),
            LINEAR: figures(train(folder / LINEAR, *overrides, "model=linear"), LINEAR),
            TREES: kept_trees(folder / "trees.json", *overrides),
        }
    return found
