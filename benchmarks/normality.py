"""Faults of the test rig found without a label of any: the network beside classical detectors.

For each of the four components a detector learns from cycles in which that component is as new,
whatever the others are, and is judged under conditions it has not seen, in the fixed folds. What is
judged is a run of ten cycles, as long as most conditions last. The network is judged once more with
parts of its score switched off. `--write` puts the tables into
docs/results.md. Finished runs are kept in outputs/normality.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
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
from hydrascope.evaluation.detectors import DETECTORS, detector_scores
from hydrascope.experiment.restore import restore
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.forecast import ForecastNormality
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.tasks.alarm_thresholds import wilson_interval
from hydrascope.training.fit_normality import calibrate

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
FULL = "**network**"
NO_FORECAST = "without forecast"
"""It has no thresholds of its own, so that only its AUROC counts."""
LEVEL_ALONE = 1e6
"""Beside it the change counts for nothing."""

Report = Mapping[str, Any]


def trained(label: str, fold: int, model: str | None = None) -> Path:
    """Train unless that was done, and return the folder of the run.

    Args:
        label: The component that is as new where is learned.
        fold: The fold.
        model: The model; None: that of the experiment.
    """
    run_dir = RUNS / "-".join((label, str(fold), *([model] if model else [])))
    if not (run_dir / "results.json").exists():
        command = [
            *(sys.executable, "train.py", "experiment=zema_normality", f"data.fold={fold}"),
            *([f"model={model}"] if model else []),
            *("~task.normality.healthy.pump", f"+task.normality.healthy.{label}={BEST[label]}"),
            f"seed={SEED}",
            *("baselines=false", "tracking=none", "trainer.progress_bar=false"),
            f"run_dir={run_dir}",
        ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return run_dir


def reports(label: str, fold: int) -> Mapping[str, Report]:
    """Train and judge unless that was done, and return each detector's report."""
    run_dir = trained(label, fold)
    ckpt = run_dir / "checkpoints" / "best.ckpt"
    judged = run_dir / "judged.json"
    if not judged.exists():
        settings, diagnoser, data = restore(str(ckpt))
        assert settings.task.normality is not None
        found = _judge(label, diagnoser, data, settings.task.normality)
        judged.write_text(json.dumps(found, indent=1), encoding="utf-8")
    read: dict[str, Report] = json.loads(judged.read_text("utf-8"))
    return read


def _judge(
    label: str, diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec
) -> dict[str, Any]:
    normality = diagnoser.normality
    assert normality is not None
    held_out = int(normality.held_out)
    table = score_table(diagnoser, data, spec)
    windows, scores = machine_scores(table)
    found = {FULL: scores}
    # The forecast comes last: what training windows scored when held out includes theirs.
    for name in _parts_off(diagnoser):
        if name != NO_FORECAST:
            calibrate(diagnoser, data, spec)
        found[name] = machine_scores(score_table(diagnoser, data, spec))[1]
    for name in DETECTORS:
        found[name] = detector_scores(name, data, diagnoser, spec, SEED)
    judged: dict[str, Any] = {
        name: detection(data, spec, windows, each, held_out)
        | {"alarms_by_condition": _by_condition(data, windows, each)}
        for name, each in found.items()
    }
    faulty = windows[dict(faults(data, windows))[ANY]]
    judged[FULL]["blame"] = located(table, data, faulty, COMPONENTS[label])
    return judged


def _by_condition(
    data: HydraulicDataModule, windows: NDArray[np.int64], scores: NDArray[np.float64]
) -> dict[str, float]:
    """Return the share of alarms among the healthy test cycles of each condition."""
    judged = (data.healthy[windows] == 1) & ~np.isnan(scores)
    alarm = pd.Series(scores[judged] > 1.0)
    shares = alarm.groupby(data.table["condition"].to_numpy()[windows[judged]]).mean()
    return {str(name): float(share) for name, share in shares.items()}


def _parts_off(diagnoser: TensorDiagnoser) -> Iterator[str]:
    """Switch parts of the score off in turn, and name what is left."""
    normality = diagnoser.normality
    assert isinstance(normality, ForecastNormality)
    share = normality.level_share
    for name, normality.level_share in (("change alone", 0.0), ("level alone", LEVEL_ALONE)):
        yield name
    normality.level_share = share
    with torch.no_grad():
        normality.forecast.out.weight.zero_()
    yield NO_FORECAST


def pooled(label: str, folds: Sequence[int] = FOLDS) -> dict[str, dict[str, Any]]:
    """Return each detector's false alarms and faults over folds; the AUROC is their mean."""
    found = [reports(label, fold) for fold in folds]
    result: dict[str, dict[str, Any]] = {}
    for name in found[0]:
        mine = [fold[name] for fold in found]
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
        for name, report in found.items():
            judged = name != NO_FORECAST
            cells = (_found(report["faults"][fault], judged=judged) for fault in every)
            alarms = _alarms(report) if judged else "–"
            lines.append(f"| {name} | {alarms} | {' | '.join(cells)} |")
        conditions = ", ".join(map(str, found[FULL]["held_out"]))
        lines += ["", f"Thresholds from {conditions} held-out conditions.", ""]
    path = ROOT / "docs" / "results.md"
    replace_section(path, "normality", "\n".join(lines).strip())
    return path


def _alarms(report: Report) -> str:
    count = report["conditions"]
    low, high = wilson_interval(report["alarms"], count)
    return f"{100 * report['alarms'] / count:.1f} % of {count} ({100 * low:.0f}–{100 * high:.0f})"


def _found(fault: Mapping[str, float], *, judged: bool) -> str:
    detected = f", {100 * fault['detected']:.0f} %" if judged else ""
    return f"{fault['auroc']:.3f}{detected}"
