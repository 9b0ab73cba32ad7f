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
    settings_of,
    train,
)
from benchmarks._fleet_trees import kept_trees
from benchmarks._rows import Row, at_least

COUNTS = (80, 320)
"""Machines of each kind that are trained and validated on, beside all that `experiment=fleet` has:
that training is the one of `python -m benchmarks fleet`."""
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
        "Machines of each kind to train and validate on, in nested choices, for as many steps; "
        f"judged on the same others. {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, "
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
    settings = settings_of(EXPERIMENT)
    machines = settings.data.source.model_dump()["machines_per_kind"]
    learned = machines - machines // settings.data.split.folds
    found: dict[int, dict[str, Figures]] = {}
    for count in (*COUNTS, learned):
        folder, overrides = RUNS / "curve" / str(count), [EXPERIMENT]
        if count == learned:
            folder = RUNS
        else:
            # As many steps for all: fewer machines are seen as much oftener.
            epochs = round(settings.trainer.max_epochs * learned / count)
            share = count / learned
            overrides += [f"data.split.share={share}", f"trainer.max_epochs={epochs}"]
        found[count] = {
            NETWORK: figures(train(folder / NETWORK, *overrides), NETWORK),
            LINEAR: figures(train(folder / LINEAR, *overrides, "model=linear"), LINEAR),
            TREES: kept_trees(folder / "trees.json", *overrides),
        }
    return found
