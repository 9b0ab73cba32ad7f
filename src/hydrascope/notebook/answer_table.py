"""Tables of a model's answers to many windows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from torch import Tensor

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec
from hydrascope.serving.diagnosis.findings import Finding, Limits, build_finding, outcomes


class Answer(NamedTuple):
    """A row of the table: one answer to one window. A field that the answer lacks is None.

    Attributes:
        equipment_id: The machine.
        start: The start of the window, UTC.
        head: The head that answered.
        component: The ID of the component concerned; None for a whole machine.
        label: The label, for a head with several.
        answer: A class's name, a value in the head's unit, or whether a label is present.
        probability: The probability of the class, or that a label is present.
        low: The lower bound of a value's interval.
        high: The upper bound of a value's interval.
    """

    equipment_id: str
    start: pd.Timestamp
    head: str
    component: str | None
    label: str | None
    answer: str | float | bool
    probability: float | None
    low: float | None
    high: float | None


class _Said(NamedTuple):
    label: str | None
    answer: str | float | bool
    probability: float | None = None
    low: float | None = None
    high: float | None = None


def answers_of(
    manifest: Manifest,
    machine: Machine,
    starts: Sequence[pd.Timestamp],
    decoded: Mapping[str, Tensor],
) -> Iterator[Answer]:
    """Yield the answers of W windows of a machine with N components, window by window.

    Args:
        manifest: What the numbers mean.
        machine: That is asked about.
        starts: Of the windows, [W].
        decoded: By head; [W, size] at machine level, [W · N, size] at component level.
    """
    components = machine.topology.components
    limits = {head.name: Limits.from_manifest(head, manifest) for head in manifest.task.heads}
    numbers = {name: values.numpy() for name, values in decoded.items()}
    for window, start in enumerate(starts):
        for head in manifest.task.heads:
            asked: list[tuple[int, str | None]] = [(window, None)]
            if head.level is HeadLevel.COMPONENT:
                asked = [
                    (window * len(components) + number, component.id)
                    for number, component in enumerate(components)
                    if head.components is None or component.id in head.components
                ]
            for row, component_id in asked:
                found = build_finding(head, numbers[head.name][row], limits[head.name])
                for said in _said(head, found):
                    equipment_id = machine.equipment.equipment_id
                    yield Answer(equipment_id, start, head.name, component_id, *said)


def as_table(answers: Sequence[Answer]) -> pd.DataFrame:
    """Return a row an answer, with the columns of `Answer`."""
    table = pd.DataFrame(answers, columns=Answer._fields)
    numbers = dict.fromkeys(("probability", "low", "high"), "float64")
    return table.astype({"answer": "object", **numbers})


def _said(head: HeadSpec, found: Finding) -> Iterator[_Said]:
    match head.kind:
        case HeadKind.REGRESSION if head.labels:
            for label, value in (found.values or {}).items():
                yield _Said(label, value, None, *(found.intervals or {}).get(label, ()))
        case HeadKind.REGRESSION:
            assert found.value is not None
            yield _Said(None, found.value, None, *(found.interval or ()))
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            flags = found.flags or ()
            labelled = head.kind is HeadKind.MULTI_LABEL
            probabilities = found.probabilities or {}
            for name in outcomes(head):
                yield _Said(name if labelled else None, name in flags, probabilities[name])
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            assert found.outcome is not None
            assert found.probabilities is not None
            yield _Said(None, found.outcome, found.probabilities[found.outcome])
