"""What the answers of each head are worth: beside guessing, beside classical models, by class."""

from collections.abc import Iterator
from typing import NamedTuple

from hydrascope.evaluation.page.numbers import format_metric, shown_name
from hydrascope.evaluation.sums import class_names
from hydrascope.evaluation.verdict.sentence import Report, Sentence, Trust, listed, measured, words
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.tasks.metrics import PRIMARY_METRIC

FEW_LABELS = 20
"""The number of labelled test answers of a class below which little is known of it."""
MOSTLY = 0.5
"""The share of a class's windows from which on it is mostly found."""


class Rival(NamedTuple):
    """What the model is compared with."""

    name: str
    value: float


def of_head(head: HeadSpec, report: Report) -> Iterator[Sentence]:
    """Yield what is known of one head.

    Args:
        head: The head.
        report: The content of evaluation.json.
    """
    name, metric = shown_name(head.name), PRIMARY_METRIC[head.kind]
    metrics = report["judged"].get(head.name, {})
    judged, error = metrics.get(metric), metrics.get("mae")
    if judged is None or judged["value"] is None:
        reason = "no test window has a label"
        if head.kind is HeadKind.REGRESSION and error is not None and error["value"] is not None:
            reason = f"all test labels are one value, so R² is undefined; {measured('mae', error)}"
        yield Sentence(Trust.UNKNOWN, f"{name}: {reason}.")
        return
    constant = report["constant"][head.name]
    guess = Rival(f"always answering {constant['answer']}", constant["value"])
    trust, comparison = _compared(judged, metric, guess, _classical(head.name, report))
    yield Sentence(trust, f"{name}: {measured(metric, judged)}{comparison}.")
    yield from _rare_classes(head, report)
    if trust is Trust.TRUSTED:
        yield from _overlooked(head, report)


def _classical(head: str, report: Report) -> Rival | None:
    """Return the best classical model that the training fitted beside it."""
    models = report.get("models") or {"columns": [], "rows": []}
    rows = [row for row in models["rows"] if row["head"] == head]
    found = [
        Rival(model, value)
        for row in rows
        for model, value in zip(models["columns"][1:], row["values"][1:], strict=True)
        if value is not None
    ]
    return max(found, key=lambda rival: rival.value, default=None)


def _compared(
    judged: Report, metric: str, constant: Rival, classical: Rival | None
) -> tuple[Trust, str]:
    """Return whether a metric can be trusted, and the end of the sentence that says why."""
    if judged["interval"] is None:
        return Trust.UNKNOWN, ", from too few units for an interval"
    low, high = judged["interval"]
    guess = _shown(constant, metric)
    beside = "" if classical is None else _shown(classical, metric)
    if low <= constant.value:
        behind = classical is not None and high < classical.value
        also = f", and behind {beside}" if behind else ""
        return Trust.DOUBTED, f", not shown to be better than {guess}{also}"
    if classical is None:
        return Trust.TRUSTED, f", better than {guess}"
    if low > classical.value:
        return Trust.TRUSTED, f", better than {guess} and than {beside}"
    if high < classical.value:
        return Trust.DOUBTED, f", better than {guess}, but behind {beside}"
    return Trust.TRUSTED, f", better than {guess}; no difference from {beside} is shown"


def _shown(rival: Rival, metric: str) -> str:
    return f"{words(rival.name)} ({format_metric(rival.value, metric)})"


def _rare_classes(head: HeadSpec, report: Report) -> Iterator[Sentence]:
    """Yield the classes of which the test windows hold too few."""
    counts = [sum(row) for row in report["confusion"].get(head.name, [])]
    named = dict(zip(class_names(head), counts, strict=True)) if counts else {}
    name = shown_name(head.name)
    if absent := [each for each, count in named.items() if not count]:
        yield Sentence(
            Trust.UNKNOWN,
            f"{name}: {listed(absent)} never occurs in the test, so nothing is known of it.",
        )
    few = [f"{each} ({count})" for each, count in named.items() if 0 < count < FEW_LABELS]
    if few:
        yield Sentence(Trust.UNKNOWN, f"{name}: few test answers have the class {listed(few)}.")


def _overlooked(head: HeadSpec, report: Report) -> Iterator[Sentence]:
    """Yield the outcomes most of which are taken for another, although the head is good."""
    outcomes = report.get("outcomes", {}).get(head.name, {})
    found = {name: each["recall"]["value"] for name, each in outcomes.items()}
    missed = [
        f"{words(name)} ({format_metric(share, 'recall')})"
        for name, share in sorted(found.items(), key=lambda pair: pair[1] or 0.0)
        if share is not None and share < MOSTLY
    ]
    if missed:
        yield Sentence(
            Trust.DOUBTED, f"{shown_name(head.name)}: less than half is found of {listed(missed)}."
        )
