"""The test windows worth looking at: the most confident wrong answers, and the least certain."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.calibrate import log_loss
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.sums import value_errors, wrong_rows
from hydrascope.schemas.calibration import flag_thresholds
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

COUNT = 3
"""The number of cases of each sort."""


@dataclass(frozen=True)
class Case:
    """One window, and the answer that it was chosen for.

    Attributes:
        window: Row of the window table.
        head: The head that answered.
        row: Position among the head's labelled rows.
        why: The reason, in words.
    """

    window: int
    head: HeadSpec
    row: int
    why: str


def worst_cases(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    thresholds: Mapping[str, float],
) -> list[Case]:
    """Return the windows with the costliest answers, worst first, each with its worst answer.

    The cost is the log loss of a wrong answer, or the absolute error of a regression in standard
    deviations of the truth.
    """
    found = []
    for head in heads:
        rows = complete(predictions[head.name])
        if not len(rows.target):
            continue
        if head.kind is HeadKind.REGRESSION:
            error = value_errors(head, rows)
            spread = float(rows.target.double().std(correction=0)) or 1.0
            cost, wrong = error / spread, (error > 0).numpy()
        else:
            cost = log_loss(head, rows.prediction, rows.target).max(1).values
            wrong = wrong_rows(head, rows, flag_thresholds(head, thresholds))
        of_wrong = torch.where(torch.from_numpy(wrong), cost, -1.0)
        found += [
            each for each in _highest(head, rows, of_wrong, "answered wrongly") if each[0] >= 0
        ]
    return _of_distinct_windows(found)


def uncertain_cases(
    heads: Sequence[HeadSpec], predictions: Mapping[str, LocatedPredictions]
) -> list[Case]:
    """Return the windows whose answers have the highest entropy, highest first."""
    found = []
    for head in (head for head in heads if head.kind is not HeadKind.REGRESSION):
        rows = complete(predictions[head.name])
        if not len(rows.target):
            continue
        found += _highest(head, rows, uncertainty(head, rows.prediction), "least certain")
    return _of_distinct_windows(found)


def uncertainty(head: HeadSpec, prediction: Tensor) -> Tensor:
    """Return the normalised entropy, [R] from 0 to 1; the mean over labels if there are any."""
    p = prediction.double()
    entropy: Tensor = torch.special.entr(p)
    if head.kind in (HeadKind.BINARY, HeadKind.MULTI_LABEL):
        complement: Tensor = torch.special.entr(1 - p)
        return (entropy + complement).mean(1) / math.log(2)
    return entropy.sum(1) / math.log(p.shape[1])


def answer_in_words(
    head: HeadSpec, rows: LocatedPredictions, row: int, data: HydraulicDataModule
) -> dict[str, Any]:
    """Describe in words the answer in a row, and the truth."""
    rows = complete(rows)
    answer, target = rows.prediction[row], rows.target[row]
    window = data.table.iloc[int(rows.window[row])]
    component = None
    if head.level is HeadLevel.COMPONENT:
        topology = data.machines[window["equipment_id"]].topology
        component = topology.components[int(rows.component[row])].id
    about = {"head": head.name, "component": component}
    match head.kind:
        case HeadKind.REGRESSION if head.labels:
            largest = sorted(zip(answer.tolist(), head.labels, strict=True), reverse=True)[:3]
            true = _named(zip(target.tolist(), head.labels, strict=True), head.unit)
            return about | {"said": _named(largest, head.unit), "true": true}
        case HeadKind.REGRESSION:
            said, true = (f"{float(v):.3g}" for v in (answer[head.median], target[0]))
            unit = head.unit or ""
            return about | {"said": f"{said} {unit}", "true": f"{true} {unit}"}
        case HeadKind.MULTI_LABEL:
            present = [n for n, true in zip(head.labels, target.tolist(), strict=True) if true]
            likely = sorted(zip(answer.tolist(), head.labels, strict=True), reverse=True)[:3]
            said = ", ".join(f"{name} {100 * p:.0f} %" for p, name in likely)
            return about | {"said": said, "true": ", ".join(present) or "none"}
        case HeadKind.BINARY:
            names, p = ["not present", "present"], float(answer[0])
            chosen, confidence = int(p > 0.5), max(p, 1 - p)
        case _:
            names = [each.name for each in head.classes]
            chosen, confidence = int(answer.argmax()), float(answer.max())
    said = f"{names[chosen]} ({100 * confidence:.1f} %)"
    return about | {"said": said, "true": names[int(target[0])]}


def _named(values: Iterable[tuple[float, str]], unit: str | None) -> str:
    """Write the values of a regression that are not 0."""
    text = ", ".join(f"{name} {value:.3g} {unit or ''}".strip() for value, name in values if value)
    return text or "0 of all"


def _highest(
    head: HeadSpec, rows: LocatedPredictions, cost: Tensor, why: str
) -> list[tuple[float, Case]]:
    """Return the costliest rows, at most 2 `COUNT`, with their costs."""
    costs, places = cost.topk(min(2 * COUNT, len(cost)))
    return [
        (each, Case(int(rows.window[row]), head, row, why))
        for each, row in zip(costs.tolist(), places.tolist(), strict=True)
    ]


def _of_distinct_windows(found: Sequence[tuple[float, Case]]) -> list[Case]:
    chosen: dict[int, Case] = {}
    for _, case in sorted(found, key=lambda pair: -pair[0]):
        chosen.setdefault(case.window, case)
    return list(chosen.values())[:COUNT]
