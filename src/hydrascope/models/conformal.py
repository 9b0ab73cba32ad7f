"""Conformal sets and intervals: they contain the true value in a stated share of windows."""

from collections.abc import Sequence

from hydrascope.schemas.task import HeadKind, HeadSpec


def kept_classes(head: HeadSpec, answer: Sequence[float], margin: float) -> list[str]:
    """Return the names of the classes in the conformal set; empty if no class conforms.

    Args:
        head: A binary, multi-class or ordinal head.
        answer: The decoded probabilities.
        margin: The largest nonconformity in the set.
    """
    if head.kind is HeadKind.BINARY:
        either = (("not present", 1.0 - answer[0]), ("present", answer[0]))
        return [name for name, p in either if 1.0 - p <= margin]
    return [each.name for each, p in zip(head.classes, answer, strict=True) if 1.0 - p <= margin]


def open_labels(head: HeadSpec, answer: Sequence[float], margins: Sequence[float]) -> list[str]:
    """Return the labels of a multi-label head that cannot be ruled out."""
    rows = zip(head.labels, answer, margins, strict=True)
    return [name for name, p, margin in rows if 1.0 - p <= margin]


def interval(head: HeadSpec, answer: Sequence[float], margin: float) -> tuple[float, float]:
    """Return the conformal interval of a regression, in the head's unit.

    It is cut at the values that a label cannot have: above the cap, and below 0 for a log scale.
    """
    low, high = (answer[0], answer[-1]) if head.quantiles else (answer[0], answer[0])
    low, high = low - margin, high + margin
    if head.scale == "log":
        low, high = max(low, 0.0), max(high, 0.0)
    return (low, high) if head.cap is None else (min(low, head.cap), min(high, head.cap))
