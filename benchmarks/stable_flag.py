"""Measure how well the rig's flag `stable` is told without any sensor, by the plan of its trial.

`python -m benchmarks stable_flag [--write]` fits a random forest on what is known of a cycle's
place in the trial, on the folds of unseen conditions, and writes the table into docs/results.md.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least
from hydrascope.telemetry import ZemaSource

GRADES = ("cooler", "valve", "pump", "accumulator")


def places() -> tuple[Mapping[str, NDArray[np.float64]], NDArray[np.int64], NDArray[np.int64]]:
    """Return what is known of each cycle without sensors [W, K], its flag [W], its fold [W]."""
    table = ZemaSource().labels("zema")
    grades = table[list(GRADES)].to_numpy(np.float64)
    block = (table["condition"] != table["condition"].shift()).cumsum()
    began = table.groupby(block).cumcount().to_numpy(np.float64)[:, None]
    length = table.groupby(block)["stable"].transform("size").to_numpy(np.float64)[:, None]
    known = {
        "the grades of the four components": grades,
        "cycles since its condition began": began,
        "the grades, and cycles since the condition began": np.hstack((grades, began)),
        "cycles its condition lasts in one piece": length,
    }
    flag = table["stable"].to_numpy(np.int64)
    return known, flag, table["unseen_condition_fold"].to_numpy(np.int64)


def run(trees: int = 300) -> list[Row]:
    """Judge each on the cycles of the five folds, pooled."""
    known, flag, fold = places()
    rows = []
    for name, columns in known.items():
        right = np.zeros(len(flag), dtype=bool)
        for number in np.unique(fold):
            test = fold == number
            forest = RandomForestClassifier(trees, random_state=0, n_jobs=1)
            forest.fit(columns[~test], flag[~test])
            right[test] = forest.predict(columns[test]) == flag[test]
        rows.append(at_least(name, 100 * float(right.mean()), "%"))
    return rows


def write() -> Path:
    """Write the table."""
    path = ROOT / "docs" / "results.md"
    lines = [
        "Accuracy of `stable` in %, five fixed folds pooled (2205 cycles), by a random forest that "
        "reads no sensor; `python -m benchmarks stable_flag --write`.",
        "",
        "| what it reads of a cycle | stable |",
        "|---|---|",
        *(f"| {row['name']} | {row['value']:.2f} |" for row in run()),
    ]
    replace_section(path, "stable flag", "\n".join(lines))
    return path
