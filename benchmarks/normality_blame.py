"""How often the right component of the test rig is blamed for an alarm, without a label of any.

As in the benchmark of normality, from which the runs come, each of the four components is as new in
turn where is learned, and its faults are judged in conditions that were not seen. Beside the blame
stands the former rule, the highest score of a component, and a guess. `--write` puts the table into
docs/results.md.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import normality
from benchmarks._blame_rig import RULES, Located, pooled
from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least

FIRST, SECOND = 0.60, 0.85
"""What is asked of the first component, and of the first two."""
_COMPONENTS = 10
"""The components of the rig among which a guess is made."""


def found(
    folds: Sequence[int] = normality.FOLDS,
) -> dict[str, dict[str, Located]]:
    """Return the shares of each component, and of all together, by rule."""
    every = {
        label: [normality.report(label, fold)["blame"] for fold in folds]
        for label in normality.BEST
    }
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


def write(folds: Sequence[int] = normality.FOLDS) -> Path:
    """Write the table into docs/results.md."""
    guess = f"{100 / _COMPONENTS:.0f} %", f"{200 / _COMPONENTS:.0f} %"
    lines = [
        f"Of the detected faulty cycles, the share in which the right one of the rig's "
        f"{_COMPONENTS} components is blamed first, and among the first two, with 95 % intervals "
        f"over conditions. Folds {', '.join(map(str, folds))}, seed {normality.SEED}; "
        "`python -m benchmarks normality_blame --write`.",
        "",
        "| as new | detected cycles | blame: first | first two | highest score: first | first two "
        "| guess: first | first two |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label, own in found(folds).items():
        cells = [_share(part) for rule in RULES for part in own[rule][1:]]
        lines.append(f"| {label} | {' | '.join((str(own['blame'].windows), *cells, *guess))} |")
    path = ROOT / "docs" / "results.md"
    replace_section(path, "blame", "\n".join(lines))
    return path


def _share(part: tuple[float, float, float]) -> str:
    share, low, high = (100 * each for each in part)
    return f"{share:.0f} % ({low:.0f}–{high:.0f})"
