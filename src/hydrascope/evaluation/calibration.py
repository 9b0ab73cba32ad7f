"""Calibration of probabilities, and coverage of class sets and intervals, on test windows.

A *question* is one probability that can come true: that of the chosen class of a head with classes,
of presence of a binary head, or of one label. Shapes: R rows, B bins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table

from hydrascope.evaluation.bootstrap import Array, Bootstrap
from hydrascope.evaluation.calibrate import conformal_margin, log_loss
from hydrascope.evaluation.nonconformity import nonconformity
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.schemas.calibration import Calibration, flag_names
from hydrascope.schemas.task import HeadKind, HeadSpec

BINS = 15
"""The number of bins of confidence, equally wide, as in C. Guo et al. (ICML 2017)."""
_REPEATS = 200
"""The number of random halves over which the coverage of exchangeable rows is averaged."""


@dataclass(frozen=True)
class Question:
    """One probability of a head, and how often it came true.

    Attributes:
        name: The head's name, or `<head>.<label>`.
        confidence: [R] the probability.
        right: [R] whether it came true.
        windows: [R] rows of the window table.
        loss: [R] log loss of the complete answer of the head or label.
    """

    name: str
    confidence: Array
    right: NDArray[np.bool_]
    windows: NDArray[np.int64]
    loss: Array


def questions(head: HeadSpec, rows: LocatedPredictions) -> Iterator[Question]:
    """Yield a head's questions; a regression has none."""
    if head.kind is HeadKind.REGRESSION:
        return
    rows = complete(rows)
    windows = rows.window.numpy()
    loss = log_loss(head, rows.prediction, rows.target).numpy()
    match head.kind:
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            for number, name in enumerate(flag_names(head)):
                present = rows.target[:, number].numpy() == 1
                confidence = rows.prediction[:, number].double().numpy()
                yield Question(name, confidence, present, windows, loss[:, number])
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            highest, chosen = rows.prediction.max(dim=1)
            right = (chosen == rows.target[:, 0]).numpy()
            yield Question(head.name, highest.double().numpy(), right, windows, loss[:, 0])


def bin_sums(question: Question) -> Array:
    """Return what each row adds to the bins, [R, 3 · B]: count, confidence, count of right ones."""
    number = np.clip((question.confidence * BINS).astype(int), 0, BINS - 1)
    member = np.eye(BINS)[number]
    parts = (
        member,
        member * question.confidence[:, None],
        member * question.right[:, None],
    )
    return np.concatenate(parts, axis=1)


def expected_error(sums: Array) -> Array:
    """Return the expected calibration error of sums [..., 3 · B]: mean |confidence − accuracy|.

    It is NaN without rows. Source: M. Pakdaman Naeini et al., "Obtaining Well Calibrated
    Probabilities Using Bayesian Binning", AAAI 2015.
    """
    rows, confidence, right = np.split(sums, 3, axis=-1)
    total = rows.sum(-1)
    gap = np.abs(confidence - right).sum(-1)
    error: Array = gap / np.where(total > 0, total, np.nan)
    return error


def calibration_report(
    heads: Sequence[HeadSpec],
    before: Mapping[str, LocatedPredictions],
    after: Mapping[str, LocatedPredictions],
    spec: Calibration,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Return the calibration errors before and after, and the coverage of sets and intervals.

    Args:
        heads: The task's heads.
        before: The uncalibrated test rows.
        after: The same rows, calibrated.
        spec: The fitted calibration.
        bootstrap: The draws of the test windows' units.
    """
    answered: dict[str, Any] = {}
    for head in heads:
        pairs = zip(
            questions(head, before[head.name]), questions(head, after[head.name]), strict=True
        )
        for number, (raw, calibrated) in enumerate(pairs):
            if not len(raw.windows):
                continue
            temperature = spec.temperatures.get(head.name)
            answered[calibrated.name] = {
                "temperature": temperature[number] if temperature else None,
                "threshold": spec.thresholds.get(calibrated.name),
                "before": _error(raw, bootstrap),
                "after": _error(calibrated, bootstrap),
                "bins": {
                    name: np.array(np.split(bin_sums(each).sum(0), 3)).round(6).tolist()
                    for name, each in (("before", raw), ("after", calibrated))
                },
            }
    conformal = spec.conformal
    return {
        "questions": answered,
        "uncalibrated": dict(spec.uncalibrated),
        "held_out": {
            "windows": conformal.windows,
            "units": conformal.units,
            "unit": conformal.unit,
        },
        "conformal": {
            "nominal": conformal.coverage,
            "heads": {
                head.name: _coverage(
                    head,
                    after[head.name],
                    conformal.margins[head.name],
                    conformal.coverage,
                    bootstrap,
                )
                for head in heads
                if head.name in conformal.margins and len(after[head.name].target)
            },
        },
    }


def calibration_table(report: Mapping[str, Any]) -> Table:
    """Show the calibration error of each question, and the coverage of sets and intervals."""
    held, conformal = report["held_out"], report["conformal"]
    table = Table(
        title=f"Calibration by {held['windows']} held-out windows of {held['units']} "
        f"{held['unit']}; nominal coverage {100 * conformal['nominal']:g} %",
        title_justify="left",
    )
    errors = ("ECE before", "after", "log loss before", "after")
    forms = (*["{:.3f}"] * len(errors), "{:.2f}", "{:.1%}", "{:.1%}", "{:.2f}")
    table.add_column("")
    for heading in (*errors, "T", "coverage", "exchangeable", "kept"):
        table.add_column(heading, justify="right")
    covered = conformal["heads"]
    for name in dict.fromkeys([*report["questions"], *covered]):
        question, kept = report["questions"].get(name, {}), covered.get(name, {})
        values = [
            question.get(when, {}).get(error)
            for error in ("ece", "log_loss")
            for when in ("before", "after")
        ]
        values += [question.get("temperature")]
        values += [kept.get(each) for each in ("coverage", "exchangeable", "size")]
        cells = zip(forms, values, strict=True)
        table.add_row(name, *("–" if x is None else form.format(x) for form, x in cells))
    return table


def _error(question: Question, bootstrap: Bootstrap) -> dict[str, Any]:
    sums = bin_sums(question)
    drawn = bootstrap.of_sums(sums, question.windows, lambda s: {"ece": expected_error(s)})["ece"]
    return {
        "ece": float(expected_error(sums.sum(0))),
        "interval": bootstrap.interval(drawn),
        "log_loss": float(question.loss.mean()),
    }


def _coverage(
    head: HeadSpec,
    rows: LocatedPredictions,
    margins: Sequence[float],
    nominal: float,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Return how often sets and intervals contain the truth, and how large they are.

    `coverage` is the share of test rows covered with the margins of the held-out windows.
    `exchangeable` is the coverage if the method's assumption holds: the margins come from a random
    half of the test rows, and are applied to the other half.
    """
    rows = complete(rows)
    scores = nonconformity(head, rows.prediction, rows.target).numpy()
    kept = scores <= np.asarray(margins)
    counts = np.stack([np.full(len(kept), kept.shape[1]), kept.sum(1)], axis=1).astype(np.float64)
    drawn = bootstrap.of_sums(
        counts, rows.window.numpy(), lambda s: {"coverage": s[..., 1] / s[..., 0].clip(1.0)}
    )
    return {
        "coverage": float(kept.mean()),
        "interval": bootstrap.interval(drawn["coverage"]),
        "exchangeable": exchangeable_coverage(scores, nominal),
        "size": _size(head, rows, margins),
    }


def exchangeable_coverage(scores: Array, nominal: float) -> float | None:
    """Return the mean coverage over random halves of the rows; None for too few rows.

    Args:
        scores: [R, M] nonconformity of the truth.
        nominal: The nominal coverage.
    """
    random, half = np.random.default_rng(0), len(scores) // 2
    covered = []
    for _ in range(_REPEATS):
        order = random.permutation(len(scores))
        fitted, judged = scores[order[:half]], scores[order[half:]]
        if not half:
            return None
        margins = [conformal_margin(column, nominal) for column in fitted.T]
        covered.append((judged <= np.array(margins)).mean())
    mean = float(np.mean(covered))
    return mean if np.isfinite(margins).all() else None


def _size(head: HeadSpec, rows: LocatedPredictions, margins: Sequence[float]) -> float:
    """Return the mean number of classes (or of labels not ruled out), or the mean width."""
    margin = torch.tensor(margins, dtype=torch.float64)
    p = rows.prediction.double()
    match head.kind:
        case HeadKind.REGRESSION:
            inner = 0.0 if head.labels else float((p[:, -1] - p[:, 0]).mean())
            return inner + 2 * float(margin.mean())
        case HeadKind.BINARY:
            p = torch.cat([p, 1 - p], dim=1)
    return float((1 - p <= margin).sum(1).double().mean())
