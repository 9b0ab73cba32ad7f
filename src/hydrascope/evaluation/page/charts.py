"""The charts of the page: confusion, precision over recall, calibration, error over severity."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve

from hydrascope.evaluation.figures import draw_confusion
from hydrascope.evaluation.page.numbers import shown_name
from hydrascope.evaluation.page.svg import FAINT, inline_svg, page_style
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.sums import outcome_names, outcome_rows
from hydrascope.evaluation.verdict.sentence import words
from hydrascope.schemas.task import HeadKind, HeadSpec

_SIZE = (5.1, 3.4)
"""In inches, before `inline_svg` crops a chart to what it shows."""
_BELOW_LABEL = (0.5, -0.16)
"""The place below the label of the horizontal axis, in shares of the axes."""


def confusion_chart(head: HeadSpec, counts: Sequence[Sequence[int]]) -> str:
    """Draw the confusion matrix of a head."""
    with page_style():
        figure = Figure(figsize=_SIZE)
        draw_confusion(figure, head, np.asarray(counts))
        return inline_svg(figure, f"confusion_{head.name}")


def precision_recall_chart(head: HeadSpec, rows: LocatedPredictions) -> str | None:
    """Draw precision over recall for each class or label; None if no outcome varies."""
    rows = complete(rows)
    with page_style():
        figure = Figure(figsize=_SIZE)
        axes = figure.subplots()
        for number, name in enumerate(outcome_names(head)):
            score, present = outcome_rows(head, rows, number)
            if not 0 < present.sum() < len(present):
                continue
            precision, recall, _ = precision_recall_curve(present, score)
            area = average_precision_score(present, score)
            axes.plot(
                recall, precision, label=f"{words(name)} ({area:.2f})", drawstyle="steps-post"
            )
        if not axes.lines:
            return None
        axes.set(
            xlabel="recall",
            ylabel="precision",
            xlim=(0, 1.01),
            ylim=(0, 1.03),
            title=shown_name(head.name),
        )
        axes.legend(
            title="average precision", fontsize=8, ncols=2,
            loc="upper center", bbox_to_anchor=_BELOW_LABEL,
        )  # fmt: skip
        return inline_svg(figure, f"precision_{head.name}")


def calibration_chart(name: str, question: Mapping[str, Any]) -> str:
    """Draw how often answers of each confidence were right, before and after calibration."""
    with page_style():
        figure = Figure(figsize=_SIZE)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
        for when, marker in (("before", "o--"), ("after", "s-")):
            count, confidence, right = np.asarray(question["bins"][when])
            filled = count > 0
            share = count[filled] / count.sum()
            (line,) = axes.plot(
                confidence[filled] / count[filled],
                right[filled] / count[filled],
                marker[1:],
                label=f"{when} (error {question[when]['ece']:.3f})",
                linewidth=1,
            )
            axes.scatter(
                confidence[filled] / count[filled],
                right[filled] / count[filled],
                s=10 + 150 * share,
                marker=marker[0],
                color=line.get_color(),
                alpha=0.6,
            )
        axes.set(xlabel="confidence", ylabel="observed frequency", xlim=(-0.02, 1.02))
        axes.set_title(shown_name(name))
        axes.set_ylim(-0.02, 1.05)
        axes.legend(loc="upper left", fontsize=8)
        return inline_svg(figure, f"calibration_{name}")


def severity_chart(head: HeadSpec, points: Sequence[Mapping[str, Any]]) -> str:
    """Draw the error over the severity, with intervals."""
    with page_style():
        figure = Figure(figsize=_SIZE)
        axes = figure.subplots()
        severity = np.array([each["severity"] for each in points])
        error = np.array([each["error"] for each in points])
        bounds = np.array([each["interval"] or [each["error"]] * 2 for each in points])
        spread = np.abs(bounds.T - error)
        axes.errorbar(severity, error, yerr=spread, fmt="o-", capsize=3, linewidth=1)
        for each in points:
            axes.annotate(
                f"{each['rows']}", (each["severity"], each["error"]), (4, 4),
                textcoords="offset points", fontsize=7,
            )  # fmt: skip
        is_value = head.kind is HeadKind.REGRESSION
        unit = f" / {head.unit}" if head.unit and is_value else ""
        axes.set(
            xlabel="severity (0 healthy, 1 worst)",
            ylabel=f"mean absolute error{unit}" if is_value else "share of wrong answers",
            title=f"{shown_name(head.name)}; rows at the points",
            xlim=(-0.05, 1.1),
        )
        axes.set_ylim(bottom=min(0.0, float(bounds.min())))
        return inline_svg(figure, f"severity_{head.name}")
