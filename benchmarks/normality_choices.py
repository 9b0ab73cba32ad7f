"""On which grounds the rig's detector weighs levels and sums robustly.

The faulty cycles of each fold stand against healthy conditions that were held out of the training
part in turn, and not against the test conditions. `--write` puts the table into docs/results.md.
The fits are those of `normality`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks import normality
from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least
from hydrascope.evaluation.detection import ANY, faults, machine_scores, score_table
from hydrascope.experiment.restore import restore
from hydrascope.schemas.normality import MACHINE
from hydrascope.training.fit_normality import calibrate, held_out_scores

SUMS = {"robust": normality.FULL, "squares": normality.SQUARES}
"""Sum of a score → the detector of `normality` that has it."""
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""The weights of levels."""


def aurocs(label: str, fold: int, detector: str) -> Iterator[float]:
    """Yield the AUROC with each of `SHARES`."""
    normality.report(label, fold, detector)
    ckpt = normality.folder(label, fold, detector) / "checkpoints" / "best.ckpt"
    settings, diagnoser, data = restore(str(ckpt))
    spec, scores = settings.task.normality, diagnoser.normality
    assert spec is not None
    assert scores is not None
    for share in SHARES:
        scores.level_share = share
        calibrate(diagnoser, data, spec)
        held_out = held_out_scores(diagnoser, data, spec)[MACHINE].score
        windows, judged = machine_scores(score_table(diagnoser, data, spec))
        faulty = judged[dict(faults(data, windows))[ANY]] * float(scores.threshold_machine[0])
        both = [each[~np.isnan(each)] for each in (held_out, faulty)]
        truth = np.repeat([False, True], [len(each) for each in both])
        yield float(roc_auc_score(truth, np.concatenate(both)))


def means() -> dict[str, list[float]]:
    """Return the mean AUROC of components and folds with each share, by sum."""
    units = [(label, fold) for label in normality.BEST for fold in normality.FOLDS]
    return {
        name: np.mean([list(aurocs(*unit, detector)) for unit in units], axis=0).tolist()
        for name, detector in SUMS.items()
    }


def run() -> list[Row]:
    """Return the mean AUROC of each choice."""
    return [
        at_least(f"{name}, levels weigh {share:g}", value, "AUROC")
        for name, values in means().items()
        for share, value in zip(SHARES, values, strict=True)
    ]


def write() -> Path:
    """Write the table into docs/results.md."""
    lines = [
        "AUROC of the faulty cycles against healthy conditions that were held out of the training "
        "part in turn, by the weight of levels: the mean of four components and five folds. "
        "`python -m benchmarks normality_choices --write`.",
        "",
        f"| sum | {' | '.join(f'{share:g}' for share in SHARES)} |",
        "|---" * (1 + len(SHARES)) + "|",
        *(
            f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |"
            for name, values in means().items()
        ),
    ]
    path = ROOT / "docs" / "results.md"
    replace_section(path, "normality choices", "\n".join(lines))
    return path
