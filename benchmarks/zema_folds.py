"""All five folds of the rig under unseen conditions, pooled, beside the baselines.

`python -m benchmarks.zema_folds` trains a network for each fold (resumable: finished folds are
kept), then writes the table into docs/results.md and README.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
TARGETS = ("cooler", "valve", "pump", "accumulator")
HEADS = (*TARGETS, "stable")
COLUMNS = ("model", *TARGETS, "mean of four", "stable")

Results = Mapping[str, Mapping[str, Mapping[str, float]]]


def main() -> None:
    """Train what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "zema_folds")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    folds = []
    for fold in range(5):
        run_dir = arguments.runs / f"seed{arguments.seed}_fold{fold}"
        if not (run_dir / "results.json").exists():
            overrides = [f"data.fold={fold}", f"seed={arguments.seed}", f"hydra.run.dir={run_dir}"]
            command = [sys.executable, "train.py", "experiment=zema", *overrides]
            subprocess.run(command, cwd=ROOT, check=True)
        folds.append(json.loads((run_dir / "results.json").read_text())["test"])
    table = as_markdown({name: pooled([fold[name] for fold in folds]) for name in folds[0]})
    note = (
        f"Unseen conditions, five fixed folds pooled (2205 test cycles), accuracy in %, seed "
        f"{arguments.seed}; {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, "
        f"{os.cpu_count()} cores, torch {torch.__version__}; "
        f"`python -m benchmarks.zema_folds --seed {arguments.seed}`."
    )
    for name in ("README.md", "docs/results.md"):
        replace_section(ROOT / name, "zema", f"{note}\n\n{table}")
    print(table)


def pooled(folds: list[Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Return each head's accuracy over the test rows of all folds."""
    accuracy = {}
    for head in HEADS:
        rows = sum(fold[head]["rows"] for fold in folds)
        right = sum(fold[head]["accuracy"] * fold[head]["rows"] for fold in folds)
        accuracy[head] = right / rows
    return accuracy


def as_markdown(models: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table with a row for each model, in %."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for name, accuracy in models.items():
        four = sum(accuracy[head] for head in TARGETS) / len(TARGETS)
        values = [*(accuracy[head] for head in TARGETS), four, accuracy["stable"]]
        lines.append(f"| {name} | " + " | ".join(f"{100 * value:.2f}" for value in values) + " |")
    return "\n".join(lines)


def replace_section(path: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- name -->` and `<!-- /name -->`."""
    content = path.read_text(encoding="utf-8")
    head, opening, rest = content.partition(f"<!-- {name} -->")
    _, closing, tail = rest.partition(f"<!-- /{name} -->")
    if not (opening and closing):
        raise ValueError(f"{path}: no section <!-- {name} --> … <!-- /{name} -->")
    path.write_text(f"{head}{opening}\n{text}\n{closing}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
