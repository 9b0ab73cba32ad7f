"""Faults of the test rig found without a label of any: the network beside classical detectors.

For each of the four components a detector learns from cycles in which that component is as new,
whatever the others are, and is judged under conditions it has not seen (fold 0 of the fixed
folds); once more it learns from cycles in which all four are. `--write` puts the tables into
docs/results.md. Finished runs are kept in outputs/normality.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks._rows import Row, at_least
from benchmarks.zema_folds import ROOT, replace_section

RUNS = ROOT / "outputs" / "normality"
COMPONENTS = {"cooler": "cooler", "valve": "valve", "pump": "main_pump", "accumulator": None}
"""The component of each label; the accumulator has no sensor of its own to be blamed."""
BEST = {"cooler": 100, "valve": 100, "pump": 0, "accumulator": 130}
FOLD, SEED, EPOCHS = 0, 42, 8


def results(name: str) -> dict[str, Any]:
    """Train and evaluate unless that was done, and return each detector's report."""
    run_dir = RUNS / name
    if not (run_dir / "results.json").exists():
        healthy = ",".join(f"{label}:{value}" for label, value in _healthy(name).items())
        command = [
            *(sys.executable, "train.py", "data=zema", "task=normality", f"seed={SEED}"),
            *(f"task.normality.healthy={{{healthy}}}", f"trainer.max_epochs={EPOCHS}"),
            *("data.split.val_fraction=0.2", "task.normality.false_alarm_rate=0.05"),
            *("tracking=none", "trainer.progress_bar=false", f"run_dir={run_dir}"),
            f"data.fold={FOLD}",
        ]
        if name == "all":
            command += [
                *("data.split.name=chronological", "data.split.folds=3", "data.batch_size=2"),
                *("data.split.val_fraction=0.3", "task.normality.false_alarm_rate=0.2"),
            ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    if not (run_dir / "evaluation.json").exists():
        ckpt = f"ckpt={run_dir / 'checkpoints' / 'best.ckpt'}"
        command = [sys.executable, "evaluate.py", ckpt, f"run_dir={run_dir}"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads((run_dir / "results.json").read_text("utf-8"))["normality"]
    return found


def _healthy(name: str) -> dict[str, int]:
    return BEST if name == "all" else {name: BEST[name]}


def run() -> list[Row]:
    """Return the AUROC of each detector over all faulty cycles of each component."""
    rows = []
    for label in BEST:
        for detector, report in results(label).items():
            auroc = report["faults"]["any"]["auroc"]
            rows.append(at_least(f"{label}: {detector}", auroc, "AUROC"))
    return rows


def write(names: Sequence[str] = (*BEST, "all")) -> Path:
    """Write the tables of these runs into docs/results.md."""
    lines: list[str] = []
    for name in names:
        reports = results(name)
        every = list(reports.values())
        title = "all four as new" if name == "all" else f"{name} as new"
        alarms = every[0]["false_alarms"]
        lines += [
            f"| {title} (asked: {100 * alarms['asked']:g} %) | " + " | ".join(reports) + " |",
            "|---" * (1 + len(reports)) + "|",
            f"| false alarms of {alarms['windows']} | "
            + " | ".join(_alarms(each["false_alarms"]) for each in every)
            + " |",
        ]
        for fault, found in every[0]["faults"].items():
            cells = " | ".join(_found(each["faults"][fault]) for each in every)
            lines.append(f"| {fault} ({found['windows']}) | {cells} |")
        blame = _blame(name)
        lines += ["", blame, ""] if blame else [""]
    note = (
        f"Threshold on held-out healthy cycles; false alarms with their 95 % interval; of each "
        f"fault the AUROC against healthy test cycles and the share detected. Fold {FOLD}, seed "
        f"{SEED}, {EPOCHS} epochs; `python -m benchmarks normality --write`."
    )
    path = ROOT / "docs" / "results.md"
    replace_section(path, "normality", "\n".join([note, "", *lines]).strip())
    return path


def _blame(name: str) -> str:
    """Say how often the faulty component had the highest score of all."""
    component = COMPONENTS.get(name)
    if component is None:
        return ""
    scores = pd.read_csv(RUNS / name / "normality.csv")
    scores = scores[(scores["level"] == "normality.component") & scores["score"].notna()]
    labels = _labels()
    faulty = scores[scores["window"].map(labels[name]) != BEST[name]]
    rank = faulty.groupby("window")["score"].rank(ascending=False, method="first")
    mine = rank[faulty["id"] == component]
    first, second = 100 * (mine == 1).mean(), 100 * (mine <= 2).mean()
    count = faulty["id"].nunique()
    return (
        f"Of {len(mine)} faulty cycles the `{component}` has the highest score in {first:.0f} %, "
        f"one of the two highest in {second:.0f} % (of {count} components with sensors)."
    )


def _labels() -> pd.DataFrame:
    from hydrascope.telemetry import ZemaSource

    return ZemaSource().labels("zema")


def _alarms(alarms: dict[str, Any]) -> str:
    low, high = alarms["interval"]
    return f"{100 * alarms['rate']:.1f} % ({100 * low:.0f}–{100 * high:.0f})"


def _found(fault: dict[str, Any]) -> str:
    return f"{fault['auroc']:.3f}, {100 * fault['detected']:.0f} %"
