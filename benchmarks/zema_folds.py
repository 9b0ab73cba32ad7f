"""All five folds of the rig under unseen conditions, pooled, beside the baselines.

`python -m benchmarks.zema_folds` trains a network for each seed and fold, beside the discriminant
and the quick baselines, and fits the slow ones (resumable: what is finished is kept), then writes
the table into docs/results.md and README.md. `--pool FOLDER` trains nothing: it prints the table of
the runs that lie in a folder, such as that of `python train.py -m experiment=zema
data.fold=0,1,2,3,4`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks._document import ROOT, replace_section

TARGETS = ("cooler", "valve", "pump", "accumulator")
HEADS = (*TARGETS, "stable")
COLUMNS = ("model", *TARGETS, "mean of four", "stable")
FOLDS = 5
NETWORK = "gatv2_arma"

Fold = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Model → head → metric → value."""


def main() -> None:
    """Train what is missing, then write the tables; or print that of what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "zema_folds")
    parser.add_argument("--seed", type=int, nargs="+", default=[42, 43])
    parser.add_argument("--pool", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.pool:
        print(as_markdown(over_seeds(found_runs(arguments.pool))))
        return
    seeds: list[int] = arguments.seed
    for seed in seeds:
        for fold in range(FOLDS):
            train(arguments.runs / f"seed{seed}_fold{fold}", seed, fold, baselines=seed == seeds[0])
    for fold in range(FOLDS):
        slow_baselines(arguments.runs / f"seed{seeds[0]}_fold{fold}")
    table = as_markdown(over_seeds(found_runs(arguments.runs, seeds)))
    named = " ".join(map(str, seeds))
    note = (
        "Unseen conditions, five fixed folds pooled (2205 test cycles), accuracy in %. "
        f"{NETWORK}: mean over seeds {named}, in brackets the lowest and the highest mean of four; "
        f"the others: seed {seeds[0]}. {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, "
        f"{os.cpu_count()} cores, torch {torch.__version__}; "
        f"`python -m benchmarks.zema_folds --seed {named}`."
    )
    for name in ("README.md", "docs/results.md"):
        replace_section(ROOT / name, "zema", f"{note}\n\n{table}")
    print(table)


def train(run_dir: Path, seed: int, fold: int, *, baselines: bool) -> None:
    """Run `train.py` for one seed and fold, unless it has been run."""
    if (run_dir / "results.json").exists():
        return
    overrides = [f"data.fold={fold}", f"seed={seed}", f"baselines={str(baselines).lower()}"]
    command = [sys.executable, "train.py", "experiment=zema", f"hydra.run.dir={run_dir}"]
    subprocess.run([*command, *overrides], cwd=ROOT, check=True)


def slow_baselines(run_dir: Path) -> None:
    """Fit the slow baselines on the split of a run, those that have not been."""
    from hydrascope.evaluation.baselines import SLOW_BASELINES, baseline_predictions
    from hydrascope.evaluation.report import head_metrics, write_json
    from hydrascope.experiment.restore import restore

    path = run_dir / "slow_baselines.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if metrics.keys() >= SLOW_BASELINES.keys():
        return
    settings, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    for name in SLOW_BASELINES:
        if name not in metrics:
            predictions = baseline_predictions(
                name,
                data.dataset.machines,
                data.split,
                diagnoser.heads,
                diagnoser.normalizer,
                settings.seed,
                settings.features.patch_count,
            )
            metrics[name] = head_metrics(diagnoser.heads, predictions)
            write_json(path, metrics)


def found_runs(folder: Path, seeds: Sequence[int] | None = None) -> dict[int, list[Fold]]:
    """Return the finished folds that lie in a folder, by seed.

    Args:
        folder: Holds the runs' folders at any depth.
        seeds: Which; all that there are if None.

    Raises:
        SystemExit: A seed's folds are not each there once.
    """
    by_seed: dict[int, dict[int, Fold]] = {}
    for path in sorted(folder.rglob("results.json")):
        results = json.loads(path.read_text(encoding="utf-8"))
        if results.get("split") != "unseen_conditions":
            continue
        if seeds is not None and results["seed"] not in seeds:
            continue
        folds = by_seed.setdefault(results["seed"], {})
        if results["fold"] in folds:
            raise SystemExit(f"{folder}: seed {results['seed']} has fold {results['fold']} twice")
        slow = path.with_name("slow_baselines.json")
        more = json.loads(slow.read_text(encoding="utf-8")) if slow.exists() else {}
        folds[results["fold"]] = {**results["test"], **more}
    if not by_seed:
        raise SystemExit(f"{folder}: holds no run under unseen conditions")
    for seed, folds in by_seed.items():
        if missing := sorted(set(range(FOLDS)) - folds.keys()):
            raise SystemExit(f"{folder}: seed {seed} lacks fold {', '.join(map(str, missing))}")
    return {seed: [folds[fold] for fold in range(FOLDS)] for seed, folds in by_seed.items()}


def over_seeds(runs: Mapping[int, Sequence[Fold]]) -> dict[str, list[dict[str, float]]]:
    """Return each model's pooled accuracies, one mapping a seed that has it in every fold."""
    models: dict[str, list[dict[str, float]]] = {}
    for folds in runs.values():
        for name in folds[0]:
            if all(name in fold for fold in folds):
                models.setdefault(name, []).append(pooled([fold[name] for fold in folds]))
    return models


def pooled(folds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Return the accuracy of each head that is answered, over the test rows of all folds."""
    accuracy = {}
    for head in (head for head in HEADS if all(head in fold for fold in folds)):
        rows = sum(fold[head]["rows"] for fold in folds)
        right = sum(fold[head]["accuracy"] * fold[head]["rows"] for fold in folds)
        accuracy[head] = right / rows
    return accuracy


def as_markdown(models: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return a table with a row for each model, the best first, in %; a dash is not answered."""
    rows = {name: _cells(name, seeds) for name, seeds in models.items()}
    best_first = sorted(
        models, key=lambda name: -_mean([_four(each) or 0 for each in models[name]])
    )
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*lines, *(rows[name] for name in best_first)])


def _cells(name: str, seeds: Sequence[Mapping[str, float]]) -> str:
    heads = {
        head: f"{100 * _mean([seed[head] for seed in seeds]):.2f}" if head in seeds[0] else "–"
        for head in HEADS
    }
    fours = sorted(100 * four for seed in seeds if (four := _four(seed)) is not None)
    four = f"{_mean(fours):.2f}" if fours else "–"
    if len(fours) > 1:
        four += f" ({fours[0]:.2f} – {fours[-1]:.2f})"
    title = f"**{name}**" if name == NETWORK else name
    cells = [title, *(heads[head] for head in TARGETS), four, heads["stable"]]
    return "| " + " | ".join(cells) + " |"


def _four(accuracy: Mapping[str, float]) -> float | None:
    """Return the mean of the four components, where all are answered."""
    if not set(TARGETS) <= accuracy.keys():
        return None
    return _mean([accuracy[head] for head in TARGETS])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
