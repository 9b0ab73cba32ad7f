"""A network that learned from random circuits alone, on the four kinds of the fleet.

`python -m benchmarks pretrain` trains `experiment=pretrain`, without its parts and with fewer
circuits too, if that has not been done (outputs/pretrain). Then it answers machines of kinds that
none of the circuits is. `--write` puts the table into docs/results.md.
"""

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import Figures, figures, train
from benchmarks._rows import Row, at_least, at_most
from benchmarks._zero_shot import ZeroShot, zero_shot

MOST = 1200
"""The number of circuits of the experiment."""
MACHINES, SEED = 80, 3
"""Machines of each kind that are answered, and the seed of their fleet."""
_METRICS: dict[str, tuple[str, float | None]] = {
    "macro_f1": ("macro-F1", 0.60),
    "auroc": ("AUROC", 0.90),
    "ece": ("ECE", 0.05),
    "health": ("health, MAE", None),
    "first": ("faulty component named first", 0.70),
}
"""Figure → its name and its goal."""
_LESS_IS_BETTER = ("ece", "health")
_FEWER = (MOST // 2, MOST // 4, MOST // 8)
_OF_FEW = f"data.source.circuits={MOST // 4}"
_VARIANTS: dict[str, tuple[str, ...]] = {
    f"{MOST} circuits": (),
    **{f"{circuits} circuits": (f"data.source.circuits={circuits}",) for circuits in _FEWER},
    f"{MOST // 4} circuits, without levels of the reference": (_OF_FEW, "model.row_levels=false"),
    f"{MOST // 4} circuits, without neighbours": (_OF_FEW, "model.row_lines=0"),
}
_ENDS = (2.5, 97.5)
_RUNS = ROOT / "outputs" / "pretrain"


class _Found(NamedTuple):
    """What a training reaches."""

    held_out: Figures
    """On held-out circuits."""
    kinds: dict[str, ZeroShot]
    """On kinds that it has not seen."""


def run() -> list[Row]:
    """Train what is missing; the figures with the most circuits are to reach the goals."""
    found = without_training()
    rows = []
    for figure, (name, goal) in _METRICS.items():
        row = at_most if figure in _LESS_IS_BETTER else at_least
        rows.append(row(f"kinds never seen, {name}", _mean(found, figure), "", goal))
    return rows


def write() -> Path:
    """Train what is missing and write docs/results.md."""
    found = {name: _found(name) for name in _VARIANTS}
    note = (
        "role_rows, trained on random circuits alone (`experiment=pretrain`, 6 machines of each), "
        f"answers {MACHINES} machines of each of four kinds, compared with three reference "
        "windows of each machine. Thresholds and temperatures are those of the circuits. One "
        "training each. On held-out circuits: macro-F1, and the faulty component named first. "
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; `python -m benchmarks pretrain --write`."
    )
    most = found[next(iter(found))].kinds
    low, high = np.percentile(np.mean([each.macro_f1_draws for each in most.values()], 0), _ENDS)
    note += f" 95 % of draws of machines give {low:.3f} to {high:.3f} as the first macro-F1."
    path = ROOT / "docs" / "results.md"
    lines = [note, "", *_by_variant(found), "", *_by_kind(most)]
    replace_section(path, "pretrain", "\n".join(lines))
    return path


def without_training() -> dict[str, ZeroShot]:
    """Return the figures of each kind with the most circuits, and no label of the kind."""
    return _found(next(iter(_VARIANTS))).kinds


def _by_variant(found: Mapping[str, _Found]) -> Iterator[str]:
    names = [f"{name}{_bound(figure, goal)}" for figure, (name, goal) in _METRICS.items()]
    yield f"| network | held-out circuits | {' | '.join(names)} |"
    yield "|---" * (2 + len(names)) + "|"
    for variant, each in found.items():
        own = f"{each.held_out.macro_f1:.3f}, {each.held_out.located:.3f}"
        cells = " | ".join(f"{_mean(each.kinds, figure):.3f}" for figure in _METRICS)
        yield f"| {variant} | {own} | {cells} |"


def _by_kind(kinds: Mapping[str, ZeroShot]) -> Iterator[str]:
    yield f"| {MOST} circuits | {' | '.join(kinds)} |"
    yield "|---" * (1 + len(kinds)) + "|"
    for figure, (name, _) in _METRICS.items():
        cells = " | ".join(f"{getattr(each, figure):.3f}" for each in kinds.values())
        yield f"| {name} | {cells} |"


def _bound(figure: str, goal: float | None) -> str:
    if goal is None:
        return ""
    return f", goal {'≤' if figure in _LESS_IS_BETTER else '≥'} {goal:g}"


def _found(variant: str) -> _Found:
    """Return what a training reaches; the answers to the fleet are kept beside it."""
    overrides = _VARIANTS[variant]
    folder = _RUNS / (re.sub(r"[^0-9a-z]+", "_", "_".join(overrides)) or f"circuits_{MOST}")
    results = train(folder, "experiment=pretrain", *overrides)
    kept = folder / "zero_shot.json"
    if not kept.exists():
        fleet = (
            "data=fleet",
            f"data.source.machines_per_kind={MACHINES}",
            f"data.source.seed={SEED}",
        )
        answered = zero_shot(folder / "checkpoints" / "best.ckpt", *fleet)
        kept.write_text(json.dumps(answered), encoding="utf-8")
    stored = json.loads(kept.read_text(encoding="utf-8"))
    kinds = {kind: ZeroShot(*each) for kind, each in stored.items()}
    return _Found(figures(results, "role_rows"), kinds)


def _mean(kinds: Mapping[str, ZeroShot], figure: str) -> float:
    return fmean(getattr(each, figure) for each in kinds.values())
