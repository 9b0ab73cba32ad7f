"""How many answers are reliable, and how much better those are than all answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.tally import Tally
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.task import HeadSpec
from hydrascope.tasks.metrics import PRIMARY_METRIC


def reliability_report(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    least_right: Mapping[str, float],
    thresholds: Mapping[str, float],
) -> dict[str, dict[str, Any]]:
    """Return what the reliable answers of each head are worth; only of heads that are judged.

    - `rows`: the number of answers with all their labels.
    - `least`: the probability of being right from which an answer is reliable.
    - `reliable`: the share of reliable answers.
    - `metric`: the name of its primary metric.
    - `all`, `of_reliable`: the metric over all and over the reliable answers; None for too few.

    Args:
        heads: The answered heads.
        predictions: Their answers.
        least_right: The limit of each head.
        thresholds: The thresholds of flags.
    """
    report = {}
    for head in heads:
        rows = complete(predictions[head.name])
        if rows.right is None or not len(rows.target):
            continue
        least = least_right[head.name]
        reliable = is_reliable(rows.right, least)
        limits = flag_thresholds(head, thresholds)
        report[head.name] = {
            "rows": len(rows.target),
            "least": least,
            "reliable": float(reliable.double().mean()),
            "metric": PRIMARY_METRIC[head.kind],
            "all": Tally.of(head, rows, limits).value(head),
            "of_reliable": Tally.of(head, rows.where(reliable), limits).value(head),
        }
    return report


def unreliable_windows(
    predictions: Mapping[str, LocatedPredictions], least_right: Mapping[str, float]
) -> float:
    """Return the share of windows with an unreliable answer, of those with a judged one.

    Args:
        predictions: The answers of each head.
        least_right: The limit of each head.
    """
    windows, unreliable = set[int](), set[int]()
    for name, rows in predictions.items():
        if rows.right is not None:
            windows.update(rows.window.tolist())
            unreliable.update(rows.window[~is_reliable(rows.right, least_right[name])].tolist())
    return len(unreliable) / len(windows)


def in_words(report: Mapping[str, Mapping[str, Any]], windows: float) -> str:
    """Describe in three sentences how many answers are reliable.

    Args:
        report: The output of `reliability_report`.
        windows: The share of `unreliable_windows`.
    """
    rows = sum(each["rows"] for each in report.values())
    reliable = sum(each["rows"] * each["reliable"] for each in report.values()) / rows
    lowest = min(report, key=lambda head: float(report[head]["reliable"]))
    return (
        f"{reliable:.1%} of {rows} answers are reliable. The fewest are those of {lowest}, "
        f"{report[lowest]['reliable']:.1%}. {windows:.1%} of the windows have an unreliable answer."
    )


def is_reliable(right: Tensor, least: float) -> Tensor:
    """Return which answers are reliable, by their probability of being right."""
    return (right > 0) & (right >= least)
