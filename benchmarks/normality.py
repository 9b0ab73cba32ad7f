"""Faults of the test rig found without a label of any, by our detectors.

For each of the four components a detector learns from cycles in which that component is as new,
whatever the others are, and is judged under conditions it has not seen, in the fixed folds. What is
judged is a run of ten cycles, as long as most conditions last. The detector of the experiment is
fitted once more with each of its choices undone. `--write` puts the tables into docs/results.md.
Finished runs are kept in outputs/normality.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks._blame_rig import located
from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.detection import (
    ANY,
    detection,
    faults,
    machine_scores,
    score_table,
)
from hydrascope.experiment.restore import restore
from hydrascope.notebook.fitting import fit
from hydrascope.schemas.normality import BLAME
from hydrascope.tasks.alarm_thresholds import wilson_interval

RUNS = ROOT / "outputs" / "normality"
COMPONENTS = {
    "cooler": "cooler",
    "valve": "valve",
    "pump": "main_pump",
    "accumulator": "accumulator",
}
"""The component of each label; the accumulator has no sensor of its own."""
BEST = {"cooler": 100, "valve": 100, "pump": 0, "accumulator": 130}
FOLDS, SEED = (0, 1, 2, 3, 4), 42
FULL = "**Mahalanobis**"
SQUARES = "squares instead of Huber"
_LEVELS = "task.normality.level_share=1.0"
DETECTORS: Mapping[str, tuple[str, ...]] = {
    FULL: (),
    "levels like changes": (_LEVELS,),
    SQUARES: ("model.robust=false",),
    "one covariance for all steps": ("model.per_step=false",),
    "held out in five parts": ("task.normality.cross_folds=5",),
    "PCA T²": ("model=pca_t2", _LEVELS),
    "PCA SPE": ("model=pca_spe", _LEVELS),
    "nearest neighbours": ("model=nearest_neighbours", _LEVELS),
    "isolation forest": ("model=isolation_forest", _LEVELS),
}
"""Name → its overrides of the experiment. The others are as in the literature."""

Report = Mapping[str, Any]


def folder(label: str, fold: int, name: str) -> Path:
    """Return the folder of a fit."""
    return RUNS / "-".join((label, str(fold), re.sub(r"\W+", "_", name).strip("_")))


def report(label: str, fold: int, name: str = FULL) -> Report:
    """Fit and judge one of `DETECTORS` unless that was done, and return its report.

    Args:
        label: The component that is as new where is learned.
        fold: The fold.
        name: The name of the detector.
    """
    run_dir = folder(label, fold, name)
    file = run_dir / "judged.json"
    if not file.exists():
        overrides = (
            *("experiment=zema_normality", *DETECTORS[name], f"data.fold={fold}", f"seed={SEED}"),
            *("~task.normality.healthy.pump", f"+task.normality.healthy.{label}={BEST[label]}"),
            *("baselines=false", "tracking=none", f"run_dir={run_dir}"),
        )
        found = _judge(label, fit(*overrides, quiet=True).checkpoint)
        file.write_text(json.dumps(found, indent=1), encoding="utf-8")
    read: Report = json.loads(file.read_text("utf-8"))
    return read


def _judge(label: str, checkpoint: Path) -> Report:
    settings, diagnoser, data = restore(str(checkpoint))
    spec, normality = settings.task.normality, diagnoser.normality
    assert spec is not None
    assert normality is not None
    table = score_table(diagnoser, data, spec)
    windows, scores = machine_scores(table)
    judged = detection(data, spec, windows, scores, int(normality.held_out))
    judged["alarms_by_condition"] = _by_condition(data, windows, scores)
    if (table["level"] == BLAME).any():
        faulty = windows[dict(faults(data, windows))[ANY]]
        judged["blame"] = located(table, data, faulty, COMPONENTS[label])
    return judged


def _by_condition(
    data: HydraulicDataModule, windows: NDArray[np.int64], scores: NDArray[np.float64]
) -> dict[str, float]:
    """Return the share of alarms among the healthy test cycles of each condition."""
    judged = (data.healthy[windows] == 1) & ~np.isnan(scores)
    alarm = pd.Series(scores[judged] > 1.0)
    shares = alarm.groupby(data.table["condition"].to_numpy()[windows[judged]]).mean()
    return {str(name): float(share) for name, share in shares.items()}


def pooled(label: str, folds: Sequence[int] = FOLDS) -> dict[str, dict[str, Any]]:
    """Return each detector's false alarms and faults over folds; the AUROC is their mean."""
    result: dict[str, dict[str, Any]] = {}
    for name in DETECTORS:
        mine = [report(label, fold, name) for fold in folds]
        alarms = [share for each in mine for share in each["alarms_by_condition"].values()]
        every = sorted({fault for each in mine for fault in each["faults"]})
        result[name] = {
            "alarms": sum(alarms),
            "conditions": len(alarms),
            "held_out": [each["false_alarms"]["held_out"] for each in mine],
            "faults": {fault: _mean([each["faults"][fault] for each in mine]) for fault in every},
        }
    return result


def _mean(found: list[Report]) -> dict[str, float]:
    """Every unhealthy cycle is tested in every fold, so that folds weigh the same."""
    return {key: sum(each[key] for each in found) / len(found) for key in found[0]}


def run() -> list[Row]:
    """Return the AUROC of each detector over all faulty cycles of each component."""
    return [
        at_least(f"{label}: {detector}", report["faults"][ANY]["auroc"], "AUROC")
        for label in BEST
        for detector, report in pooled(label).items()
    ]


def write(labels: Sequence[str] = tuple(BEST), folds: Sequence[int] = FOLDS) -> Path:
    """Write the tables into docs/results.md."""
    lines = [
        "Learned where one component is as new, whatever the others are; what is judged is the "
        "median score of ten cycles. False alarms: among healthy unseen conditions, each counted "
        "once, asked for 5 %, with the 95 % interval over conditions. Of each fault: the AUROC "
        "against the healthy cycles and the share detected. "
        f"Folds {', '.join(map(str, folds))}, seed {SEED}; "
        "`python -m benchmarks normality --write`.",
        "",
    ]
    for label in labels:
        found = pooled(label, folds)
        every = list(found[FULL]["faults"])
        lines += [
            f"| {label} as new | false alarms | {' | '.join(every)} |",
            "|---" * (2 + len(every)) + "|",
        ]
        for name, own in found.items():
            cells = (_found(own["faults"][fault]) for fault in every)
            lines.append(f"| {name} | {_alarms(own)} | {' | '.join(cells)} |")
        conditions = ", ".join(map(str, found[FULL]["held_out"]))
        lines += ["", f"Thresholds from {conditions} held-out conditions.", ""]
    path = ROOT / "docs" / "results.md"
    replace_section(path, "normality", "\n".join(lines).strip())
    return path


def _alarms(found: Report) -> str:
    count = found["conditions"]
    low, high = wilson_interval(found["alarms"], count)
    return f"{100 * found['alarms'] / count:.1f} % of {count} ({100 * low:.0f}–{100 * high:.0f})"


def _found(fault: Mapping[str, float]) -> str:
    return f"{fault['auroc']:.3f}, {100 * fault['detected']:.0f} %"
