"""What each part of the readout gives on the rig, with the networks of `benchmarks.zema_folds`.

`python -m benchmarks.zema_readout` fits variants of the readout beside the trained networks of one
seed (resumable: what is finished is kept) and writes the table into docs/results.md. Under "inside"
the readout is fitted on the training part of each fold and judged on its validation part (whose
windows chose the network's checkpoint); under "test" it is fitted on both and judged on the unseen
conditions of the fold.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._document import ROOT, replace_section
from benchmarks.zema_folds import FOLDS, TARGETS
from hydrascope.data.splits import Split
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics, write_json
from hydrascope.experiment.restore import Restored, restore
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.training.readout import fit_readout

VARIANTS: Mapping[str, Mapping[str, Any] | None] = {
    "none: the network's own heads": None,
    "sensors' features (default)": {},
    "the network's embedding alone": {"inputs": "embedding"},
    "both": {"inputs": "both"},
    "features, a single draw": {"draws": 1},
    "features, without transplants": {"transplants": 0},
    "features, metric not trained": {"steps": 0},
}
"""Name → changes of the configuration; None fits no readout."""
COLUMNS = ("readout", "inside: mean of four", *TARGETS, "test: mean of four")

Counts = dict[str, tuple[float, int]]
"""Head → windows answered rightly, and all."""


def main() -> None:
    """Fit what is missing of every variant in every fold, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "zema_folds")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    folds = [measured(arguments.runs / f"seed{arguments.seed}_fold{fold}") for fold in range(FOLDS)]
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for name in VARIANTS:
        within = pooled([fold[name]["inside"] for fold in folds])
        unseen = pooled([fold[name]["test"] for fold in folds])
        values = [mean(within), *(unseen[head] for head in TARGETS), mean(unseen)]
        lines.append(f"| {name} | " + " | ".join(f"{100 * value:.2f}" for value in values) + " |")
    note = (
        f"Five folds pooled, accuracy in %, seed {arguments.seed}; "
        f"`python -m benchmarks.zema_readout --seed {arguments.seed}`."
    )
    replace_section(ROOT / "docs" / "results.md", "readout", "\n".join([note, "", *lines]))


def measured(run_dir: Path) -> dict[str, dict[str, Counts]]:
    """Return the counts of each variant inside training and in test; what exists is read."""
    path = run_dir / "readouts.json"
    found: dict[str, dict[str, Counts]] = {}
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
    if found.keys() >= VARIANTS.keys():
        return found
    restored = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    train, val, held_out = restored.data.split
    for name, changes in VARIANTS.items():
        if name not in found:
            found[name] = {
                "inside": right(restored, changes, Split(train, val[:0], val)),
                "test": right(restored, changes, Split(train, val, held_out)),
            }
            write_json(path, found)
    return found


def right(restored: Restored, changes: Mapping[str, Any] | None, split: Split) -> Counts:
    """Fit a variant on the training windows of a split, and judge it on the test windows."""
    settings, diagnoser, data = restored
    data.split, diagnoser.readout = split, None
    if changes is not None:
        assert isinstance(settings.readout, DiscriminantConfig)
        config = settings.readout.model_copy(update=dict(changes))
        diagnoser.readout = fit_readout(diagnoser, data, config, settings.seed).readout
    metrics = head_metrics(diagnoser.heads, predict(diagnoser, data.test_dataloader()))
    return {
        head: (metrics[head]["accuracy"] * metrics[head]["rows"], int(metrics[head]["rows"]))
        for head in TARGETS
    }


def pooled(folds: Sequence[Counts]) -> dict[str, float]:
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
