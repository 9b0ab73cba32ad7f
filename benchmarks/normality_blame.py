"""How often the right component of the test rig is blamed for an alarm, without a label of any.

As in the benchmark of normality, each of the four components is as new in turn where is learned,
and its faults are judged in conditions that were not seen. Beside the blame stands the former rule,
the highest score of a component, and a guess. By default the detector is Mahalanobis, whose
trainings take seconds; the network's come from the benchmark of normality. `--write` puts the table
into docs/results.md.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import normality
from benchmarks._blame_rig import RULES, Counts, Located, located, pooled
from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least
from hydrascope.evaluation.detection import ANY, faults, machine_scores, score_table
from hydrascope.experiment.restore import restore

NETWORK, CHEAP = "network", "mahalanobis"
FIRST, SECOND = 0.60, 0.85
"""What is asked of the first component, and of the first two."""
_COMPONENTS = 10
"""The components of the rig among which a guess is made."""


def counts(label: str, fold: int, model: str) -> Counts:
    """Train and judge unless that was done, and return the counts by rule and condition."""
    if model == NETWORK:
        found: Counts = normality.reports(label, fold)[normality.FULL]["blame"]
        return found
    run_dir = normality.trained(label, fold, model)
    file = run_dir / "blame.json"
    if not file.exists():
        settings, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
        assert settings.task.normality is not None
        table = score_table(diagnoser, data, settings.task.normality)
        windows, _ = machine_scores(table)
        faulty = windows[dict(faults(data, windows))[ANY]]
        judged = located(table, data, faulty, normality.COMPONENTS[label])
        file.write_text(json.dumps(judged, indent=1), encoding="utf-8")
    read: Counts = json.loads(file.read_text("utf-8"))
    return read


def found(
    model: str = CHEAP, folds: Sequence[int] = normality.FOLDS
) -> dict[str, dict[str, Located]]:
    """Return the shares of each component, and of all together, by rule."""
    every = {label: [counts(label, fold, model) for fold in folds] for label in normality.BEST}
    result = {
        label: {rule: pooled(each[rule] for each in own) for rule in RULES}
        for label, own in every.items()
    }
    result["all"] = {
        rule: pooled(each[rule] for own in every.values() for each in own) for rule in RULES
    }
    return result


def run() -> list[Row]:
    """Return how often each component is blamed first, and among the first two."""
    return [
        row
        for label, own in found().items()
        for row in (
            at_least(f"{label}: right component first", own["blame"].first[0], "share", FIRST),
            at_least(f"{label}: among the first two", own["blame"].second[0], "share", SECOND),
        )
    ]


def write(models: Sequence[str] = (CHEAP,), folds: Sequence[int] = normality.FOLDS) -> Path:
    """Write the tables into docs/results.md."""
    guess = f"{100 / _COMPONENTS:.0f} %", f"{200 / _COMPONENTS:.0f} %"
    lines = [
        f"Of the detected faulty cycles, the share in which the right one of the rig's "
        f"{_COMPONENTS} components is blamed first, and among the first two, with 95 % intervals "
        f"over conditions. Folds {', '.join(map(str, folds))}, seed {normality.SEED}; "
        "`python -m benchmarks normality_blame --write`.",
    ]
    for model in models:
        lines += [
            "",
            f"| {model} | detected cycles | blame: first | first two | highest score: first "
            "| first two | guess: first | first two |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for label, own in found(model, folds).items():
            cells = [_share(part) for rule in RULES for part in own[rule][1:]]
            lines.append(f"| {label} | {' | '.join((str(own['blame'].windows), *cells, *guess))} |")
    path = ROOT / "docs" / "results.md"
    replace_section(path, "blame", "\n".join(lines))
    return path


def _share(part: tuple[float, float, float]) -> str:
    share, low, high = (100 * each for each in part)
    return f"{share:.0f} % ({low:.0f}–{high:.0f})"
