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
    judged = report["judged"].get(head.name, {}).get(metric)
    if judged is None or judged["value"] is None:
        yield Sentence(Trust.UNKNOWN, f"{name}: no test window has a label.")
        return
    guess = _guess(head, report)
    trust, comparison = _compared(judged, metric, guess, _classical(head.name, report))
    yield Sentence(trust, f"{name}: {measured(metric, judged)}{comparison}.")
    yield from _rare_classes(head, report)
    if trust is Trust.TRUSTED:
        yield from _overlooked(head, report)


def _guess(head: HeadSpec, report: Report) -> Rival | None:
    """Return what the best constant answer reaches; None of labels, whose share is not known."""
    if head.kind is HeadKind.REGRESSION:
        return Rival("always answering the mean", 0.0)
    if head.name not in report["confusion"]:
        return None
    counts = [sum(row) for row in report["confusion"][head.name]]
    most = max(range(len(counts)), key=counts.__getitem__)
    return Rival(f"always answering {class_names(head)[most]}", counts[most] / sum(counts))


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
    judged: Report, metric: str, guess: Rival | None, classical: Rival | None
) -> tuple[Trust, str]:
    """Return whether a metric can be trusted, and the end of the sentence that says why."""
    if judged["interval"] is None:
        return Trust.UNKNOWN, ", from too few units for an interval"
    low, high = judged["interval"]
    if guess is not None and low <= guess.value:
        said = f", not shown to be better than {_shown(guess, metric)}"
        if classical is None or high >= classical.value:
            return Trust.DOUBTED, said
        return Trust.DOUBTED, f"{said}, and behind {_shown(classical, metric)}"
    better = "" if guess is None else f", better than {_shown(guess, metric)}"
    if classical is None:
        return Trust.TRUSTED, better
    beside = _shown(classical, metric)
    if low > classical.value:
        joined = "and than" if better else ", better than"
        return Trust.TRUSTED, f"{better} {joined} {beside}".replace(" ,", ",")
    if high < classical.value:
        return Trust.DOUBTED, f"{better}{', but' if better else ','} behind {beside}"
    return Trust.TRUSTED, f"{better}; no difference from {beside} is shown"


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
    missed = [
        f"{outcome} ({format_metric(found['recall']['value'], 'recall')})"
        for outcome, found in outcomes.items()
        if found["recall"]["value"] is not None and found["recall"]["value"] < MOSTLY
    ]
    if missed:
        yield Sentence(
            Trust.DOUBTED, f"{shown_name(head.name)}: less than half is found of {listed(missed)}."
        )
