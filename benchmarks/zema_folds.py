"""The folds of the rig under unseen conditions, pooled, beside the baselines; with sensors missing.

`python -m benchmarks.zema_folds` trains a network for each seed and fold, beside the discriminant
and the quick baselines, fits the slow ones, answers the test windows with sensors missing, and
writes the tables into docs/results.md and README.md. Each training is a process of one thread, so
that several run side by side (`--processes 2`); what a process has found is kept in its run's
folder at once, so that the same command goes on where it was broken off. `--pool FOLDER` trains
nothing: it prints the table of the runs that lie in a folder, such as that of
`python train.py -m experiment=zema data.fold=0,1,2,3,4`.
"""

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks import _missing
from benchmarks._document import ROOT, replace_section
from benchmarks._fold_runs import FOLDS, NETWORK, Plan, slow_baselines, train_all
from hydrascope.schemas import TaskSpec, validate
from hydrascope.schemas.yaml_file import load_yaml

TARGETS = ("cooler", "valve", "pump", "accumulator")
HEADS = (*TARGETS, "stable")
COLUMNS = ("model", *TARGETS, "mean of four", "stable")

Fold = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Model → head → metric → value."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, then write the tables; or print that of what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "zema_folds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43])
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--epochs", type=int, help="of a try; runs are kept apart by --runs")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--no-slow", action="store_true", help="leave the slow baselines out")
    parser.add_argument("--root", type=Path, default=ROOT, help="of README.md and docs/results.md")
    parser.add_argument("--pool", type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments)
    if given.pool:
        print(as_markdown(over_seeds(found_runs(given.pool))))
        return
    plan = Plan(given.runs.absolute(), given.seeds, sorted(set(given.folds)), given.epochs)
    train_all(plan, given.processes)
    for fold in () if given.no_slow else plan.folds:
        slow_baselines(plan.run_dir(plan.seeds[0], fold))
    measured = f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores"
    measured += f", torch {torch.__version__}; `{plan.command}`."
    accuracies, missing = accuracy_section(plan, measured), missing_section(plan, measured)
    for name in ("README.md", "docs/results.md"):
        replace_section(given.root / name, "zema", accuracies)
    replace_section(given.root / "docs" / "results.md", "missing", missing)
    print(accuracies, missing, sep="\n\n")


def accuracy_section(plan: Plan, measured: str) -> str:
    """Return the table of accuracies, below what it is of."""
    runs = found_runs(plan.runs, plan.seeds, plan.folds)
    windows = sum(int(fold[NETWORK][TARGETS[0]]["rows"]) for fold in runs[plan.seeds[0]])
    note = (
        f"Unseen conditions, {_of_folds(plan)} pooled ({windows} test cycles), accuracy in %. "
        f"{_of_seeds(plan.seeds)} {measured}"
    )
    return f"{note}\n\n{as_markdown(over_seeds(runs))}"


def missing_section(plan: Plan, measured: str) -> str:
    """Return the table of what missing sensors cost, below what it is of."""
    task = validate(TaskSpec, load_yaml(ROOT / "conf" / "task" / "zema.yaml"))
    heads = [head for head in task.heads if head.name in TARGETS]
    run_dirs = [plan.run_dir(plan.seeds[0], fold) for fold in plan.folds]
    note = (
        f"Accuracy in % of {', '.join(TARGETS)}, and its mean over them and over sensors (or pairs "
        "of sensors) taken away from the test cycles; nothing is fitted again. Confidence where "
        "wrong, with one sensor missing, and ECE, of all answers together, are calibrated. Unseen "
        f"conditions, {_of_folds(plan)} pooled, seed {plan.seeds[0]}. {measured}"
    )
    return f"{note}\n\n{_missing.as_markdown(_missing.pooled(run_dirs), heads)}"


def _of_seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"Seed {seeds[0]}."
    return (
        f"{NETWORK}: mean over seeds {' '.join(map(str, seeds))}, in brackets the lowest and the "
        f"highest seed's mean of four; the others: seed {seeds[0]}."
    )


def _of_folds(plan: Plan) -> str:
    whole = len(plan.folds) == FOLDS
    return "five fixed folds" if whole else f"folds {' '.join(map(str, plan.folds))} of five"


def found_runs(
    folder: Path, seeds: Sequence[int] | None = None, wanted: Sequence[int] = range(FOLDS)
) -> dict[int, list[Fold]]:
    """Return the finished folds that lie in a folder, by seed.

    Args:
        folder: Holds the runs' folders at any depth.
        seeds: Which; all that there are if None.
        wanted: Which folds.

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
        if results["fold"] not in wanted:
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
        if missing := sorted(set(wanted) - folds.keys()):
            raise SystemExit(f"{folder}: seed {seed} lacks fold {', '.join(map(str, missing))}")
    return {seed: [folds[fold] for fold in wanted] for seed, folds in by_seed.items()}


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
