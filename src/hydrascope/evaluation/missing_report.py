"""The results with missing sensors as plain data: every sensor and head, and summaries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hydrascope.evaluation.missing import Missing, Tallies
from hydrascope.evaluation.tally import Tally, ece, mean_confidence
from hydrascope.schemas.task import HeadSpec
from hydrascope.tasks.metrics import PRIMARY_METRIC


def missing_report(heads: Sequence[HeadSpec], found: Missing) -> dict[str, Any]:
    """Return the content of the report.

    - `windows`: the number of test windows.
    - `metrics`: head → the name of its primary metric.
    - `none`: head → `value` of that metric, `rows`, `wrong_confidence` and `ece`, with all sensors.
    - `sensors`: the same with one sensor missing, each with its `build` and `sensor`.
    - `all`, `summary`, `pairs`: the `summary` with no, one and two missing sensors. `pairs` also
      holds the number of possible pairs (`of`), and the reason if none was tried (`reason`).
    """
    singles, pairs = of_size(found.tallies, 1), of_size(found.tallies, 2)
    sensors = []
    for (slot,), tallies in singles.items():
        build, _, sensor = slot.rpartition("/")
        sensors.append({"build": build, "sensor": sensor, "heads": _cells(heads, tallies)})
    report: dict[str, Any] = {
        "windows": found.windows,
        "metrics": {head.name: PRIMARY_METRIC[head.kind] for head in heads},
        "none": _cells(heads, found.tallies[()]),
        "sensors": sensors,
        "summary": summary(heads, singles),
        "all": summary(heads, of_size(found.tallies, 0)),
        "pairs": {"of": found.pairs, "reason": found.without_pairs},
    }
    if pairs:
        report["pairs"] |= summary(heads, pairs)
    return report


def of_size(tallies: Tallies, size: int) -> Tallies:
    """Return the situations with `size` missing sensors."""
    return {situation: each for situation, each in tallies.items() if len(situation) == size}


def summary(heads: Sequence[HeadSpec], tallies: Tallies) -> dict[str, Any]:
    """Return a summary of several situations.

    - `situations`: their number.
    - `heads`: head → the mean of its primary metric over the situations.
    - `mean`: the mean over situations and heads.
    - `worst`: the lowest value of all, with the `missing` slots.
    - `wrong_confidence`: the mean confidence of all wrong answers; None if there are none.
    - `ece`: the expected calibration error over all answers together.
    """
    by_head: dict[str, list[float]] = {}
    worst: dict[str, Any] | None = None
    wrong, bins = np.zeros(2), []
    for situation, each in tallies.items():
        for head in (head for head in heads if head.name in each):
            tally = each[head.name]
            bins.append(tally.bins)
            wrong += tally.wrong
            if (value := tally.value(head)) is None:
                continue
            by_head.setdefault(head.name, []).append(value)
            if worst is None or value < worst["value"]:
                missing = list(situation)
                worst = {"missing": missing, "head": head.name, "value": value, "rows": tally.rows}
    values = [value for each in by_head.values() for value in each]
    return {
        "situations": len(tallies),
        "heads": {name: float(np.mean(each)) for name, each in by_head.items()},
        "mean": float(np.mean(values)) if values else None,
        "worst": worst,
        "wrong_confidence": mean_confidence(wrong),
        "ece": ece(np.sum(bins, axis=0)) if bins else None,
    }


def _cells(heads: Sequence[HeadSpec], tallies: Mapping[str, Tally]) -> dict[str, dict[str, Any]]:
    return {
        head.name: {
            "value": tally.value(head),
            "rows": tally.rows,
            "wrong_confidence": tally.wrong_confidence,
            "ece": ece(tally.bins),
        }
        for head in heads
        if (tally := tallies[head.name]).rows
    }
