"""What each part of the readout gives on the rig, with the networks of `benchmarks.zema_folds`.

`python -m benchmarks.zema_readout` fits variants of the readout beside the trained networks of one
seed and writes the table into docs/results.md. Under "inside" the readout is fitted on the training
part of each fold and judged on its validation part (whose windows chose the network's checkpoint);
under "test" it is fitted on both and judged on the unseen conditions of the fold.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.zema_folds import FOLDS, ROOT, TARGETS, replace_section
from hydrascope.data.splits import Split
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.experiment.restore import Restored, restore
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.training.readout import fit_readout

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "sensors' features (default)": {},
    "the network's embedding alone": {"inputs": "embedding"},
    "both": {"inputs": "both"},
    "without transplants": {"transplants": 0},
    "metric not trained": {"steps": 0},
    "metric not trained, without transplants": {"steps": 0, "transplants": 0},
}
COLUMNS = ("readout", "inside: mean of four", *TARGETS, "test: mean of four")

Counts = dict[str, tuple[float, int]]
"""Head → windows answered rightly, and all."""


def main() -> None:
    """Fit every variant in every fold, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "zema_folds")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    inside: dict[str, list[Counts]] = {name: [] for name in VARIANTS}
    test: dict[str, list[Counts]] = {name: [] for name in VARIANTS}
    for fold in range(FOLDS):
        run_dir = arguments.runs / f"seed{arguments.seed}_fold{fold}"
        restored = restore(str(run_dir / "checkpoints" / "best.ckpt"))
        train, val, held_out = restored.data.split
        for name, changes in VARIANTS.items():
            inside[name].append(right(restored, changes, Split(train, val[:0], val)))
            test[name].append(right(restored, changes, Split(train, val, held_out)))
            print(fold, name, inside[name][-1], test[name][-1], flush=True)
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for name in VARIANTS:
        within, unseen = pooled(inside[name]), pooled(test[name])
        values = [mean(within), *(unseen[head] for head in TARGETS), mean(unseen)]
        lines.append(f"| {name} | " + " | ".join(f"{100 * value:.2f}" for value in values) + " |")
    note = (
        f"Five folds pooled, accuracy in %, seed {arguments.seed}; "
        f"`python -m benchmarks.zema_readout --seed {arguments.seed}`."
    )
    replace_section(ROOT / "docs" / "results.md", "readout", "\n".join([note, "", *lines]))


def right(restored: Restored, changes: Mapping[str, Any], split: Split) -> Counts:
    """Fit a variant on the training windows of a split, and judge it on the test windows."""
    settings, diagnoser, data = restored
    assert isinstance(settings.readout, DiscriminantConfig)
    config = settings.readout.model_copy(update=dict(changes))
    data.split, diagnoser.readout = split, None
    diagnoser.readout = fit_readout(diagnoser, data, config, settings.seed).readout
    metrics = head_metrics(diagnoser.heads, predict(diagnoser, data.test_dataloader()))
    return {
        head: (metrics[head]["accuracy"] * metrics[head]["rows"], int(metrics[head]["rows"]))
        for head in TARGETS
    }


def pooled(folds: list[Counts]) -> dict[str, float]:
    """Return each head's accuracy over the windows of all folds."""
    return {
        head: sum(fold[head][0] for fold in folds) / sum(fold[head][1] for fold in folds)
        for head in TARGETS
    }


def mean(accuracy: Mapping[str, float]) -> float:
    """Return the mean of the four components."""
    return sum(accuracy[head] for head in TARGETS) / len(TARGETS)


if __name__ == "__main__":
    main()
