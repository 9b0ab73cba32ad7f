"""Tables of a model's answers to many windows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from numpy.typing import NDArray

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.fitness import PREFIX
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import (
    BLAME,
    COMPONENT,
    MACHINE,
    OPERATING_POINT,
    SENSOR,
)
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec
from hydrascope.serving.diagnosis.findings import CANNOT_TELL, Finding, Limits, build_finding
from hydrascope.serving.diagnosis.fitness import input_fitness, trust_in

if TYPE_CHECKING:
    from torch import Tensor

OPERATING = "operating_point"
"""The label of the row that says how new an operating point is."""
NORMALITY = "normality"
"""What stands for a head in rows of normality."""
BLAMED = "blame"
"""What stands for a head in rows of the blame."""


class Answer(NamedTuple):
    """A row of the table: one answer to one window. A field that the answer lacks is None.

    Attributes:
        equipment_id: The machine.
        start: The start of the window, UTC.
        head: The head that answered, or `normality`, or `blame`.
        component: The ID of the component concerned; None for a whole machine.
        label: The label, for a head with several; for normality the ID of the sensor, or
            `operating_point`.
        answer: A class's name, a value in the head's unit, or whether a label is present;
            `cannot_tell` if the answer is not reliable. For normality the score as a multiple of
            its threshold; above 1 is an alarm. For blame whether the component is the most
            probable one.
        probability: The probability of the class, that a label is present, or that the component is
            to blame.
        low: The lower bound of a value's interval.
        high: The upper bound of a value's interval.
        reliable: Whether the answer is reliable; None from a model that does not judge its input.
        reasons: Why it is not, in words.
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
    reliable: bool | None
    reasons: str | None


class _Given(NamedTuple):
    label: str | None
    answer: str | float | bool
    probability: float | None = None
    low: float | None = None
    high: float | None = None


class Found(NamedTuple):
    """What a head says of a component or a machine in one window."""

    start: pd.Timestamp
    head: HeadSpec
    component: str | None
    """The ID of the component; None for the machine."""
    finding: Finding


def answers_of(
    manifest: Manifest,
    machine: Machine,
    starts: Sequence[pd.Timestamp],
    decoded: "Mapping[str, Tensor]",
    least_right: float | None = None,
) -> Iterator[Answer]:
    """Yield the answers of `found_in`, of `normality_of` and of `blame_of`, a row each."""
    equipment_id = machine.equipment.equipment_id
    for start, head, component, finding in found_in(
        manifest, machine, starts, decoded, least_right
    ):
        yield from finding_rows(equipment_id, start, head.name, component, finding, head.labels)
    unsaid = dict.fromkeys(("probability", "low", "high", "reliable", "reasons"))
    for start, component, sensor, share in normality_of(machine, starts, decoded):
        yield Answer(equipment_id, start, NORMALITY, component, sensor, share, **unsaid)
    for start, component, most, probability in blame_of(machine, starts, decoded):
        said = unsaid | {"probability": probability}
        yield Answer(equipment_id, start, BLAMED, component, None, most, **said)


def found_in(
    manifest: Manifest,
    machine: Machine,
    starts: Sequence[pd.Timestamp],
    decoded: "Mapping[str, Tensor]",
    least_right: float | None = None,
) -> Iterator[Found]:
    """Yield what was found in W windows of a machine with N components, window by window.

    Args:
        manifest: What the numbers mean.
        machine: That is asked about.
        starts: Of the windows, [W].
        decoded: By head; [W, size] at machine level, [W · N, size] at component level. Also the
            entries of `schemas.fitness`, if the model judges its input.
        least_right: Replaces the manifest's limits of reliable answers.
    """
    limits = {
        head.name: Limits.from_manifest(head, manifest, least_right) for head in manifest.task.heads
    }
    numbers = {name: values.numpy() for name, values in decoded.items()}
    for window, start in enumerate(starts):
        own = {name: rows_of(values, window, len(starts)) for name, values in numbers.items()}
        judged = {name: values[:, 0] for name, values in own.items() if name.startswith(PREFIX)}
        summary = input_fitness(machine, judged, manifest.window.window_s)
        for head in manifest.task.heads:
            for row, component_id in places_of(head, machine):
                trust = trust_in(head, row, limits[head.name].least_right, judged, summary)
                finding = build_finding(head, own[head.name][row], limits[head.name], trust)
                yield Found(start, head, component_id, finding)


def normality_places(machine: Machine) -> dict[str, list[tuple[str | None, str | None]]]:
    """Return the component and the sensor of each score of a window, by level."""
    topology = machine.topology
    return {
        MACHINE: [(None, None)],
        COMPONENT: [(component.id, None) for component in topology.components],
        SENSOR: [(topology.components[n].id, sensor.id) for n, sensor in topology.sensors],
        OPERATING_POINT: [(None, OPERATING)],
    }


def normality_of(
    machine: Machine, starts: Sequence[pd.Timestamp], decoded: "Mapping[str, Tensor]"
) -> Iterator[tuple[pd.Timestamp, str | None, str | None, float]]:
    """Yield the start, component, sensor and share of each score of normality that there is."""
    places = normality_places(machine)
    scores = {name: decoded[name].numpy() for name in places if name in decoded}
    for window, start in enumerate(starts):
        for name, values in scores.items():
            own = rows_of(values, window, len(starts))[:, 0].tolist()
            for place, share in zip(places[name], own, strict=True):
                if share == share:  # NaN: there is nothing to score
                    yield start, *place, share


def blame_of(
    machine: Machine, starts: Sequence[pd.Timestamp], decoded: "Mapping[str, Tensor]"
) -> Iterator[tuple[pd.Timestamp, str, bool, float]]:
    """Yield the start, the component, whether it is the most probable one, and its probability.

    Windows in which the machine is not above its threshold have none.
    """
    if BLAME not in decoded:
        return
    for window, start in enumerate(starts):
        own = rows_of(decoded[BLAME].numpy(), window, len(starts))[:, 0].tolist()
        for component, probability in zip(machine.topology.components, own, strict=True):
            if probability == probability:  # NaN: nothing is to blame
                yield start, component.id, probability == max(own), probability


def finding_rows(
    equipment_id: str,
    start: pd.Timestamp,
    head: str,
    component: str | None,
    found: Finding,
    labels: Sequence[str],
) -> Iterator[Answer]:
    """Yield the answers of one finding: one for each of the head's labels, if it has some."""
    why = "; ".join(found.reasons or ()) or None
    for given in _given(found, labels):
        yield Answer(
            equipment_id, start, head, component, *given, reliable=found.reliable, reasons=why
        )


def rows_of(values: NDArray[Any], window: int, windows: int) -> NDArray[Any]:
    """Return the rows of one of W windows of the same machine."""
    each = len(values) // windows
    return values[window * each : (window + 1) * each]


def places_of(head: HeadSpec, machine: Machine) -> list[tuple[int, str | None]]:
    """Return the rows of a window that a head answers, and the component of each."""
    if head.level is HeadLevel.MACHINE:
        return [(0, None)]
    return [
        (row, component.id)
        for row, component in enumerate(machine.topology.components)
        if head.components is None or component.id in head.components
    ]


def as_table(answers: Sequence[Answer]) -> pd.DataFrame:
    """Return a row an answer, with the columns of `Answer`."""
    table = pd.DataFrame(answers, columns=Answer._fields)
    numbers = dict.fromkeys(("probability", "low", "high"), "float64")
    objects = dict.fromkeys(("answer", "reliable", "reasons"), "object")
    return table.astype({**objects, **numbers})


def _given(found: Finding, labels: Sequence[str]) -> Iterator[_Given]:
    probabilities = found.probabilities or {}
    if found.reliable is False:
        yield from (_Given(label, CANNOT_TELL) for label in labels or (None,))
        return
    match found.kind:
        case HeadKind.REGRESSION if labels:
            for label, value in (found.values or {}).items():
                yield _Given(label, value, None, *(found.intervals or {}).get(label, ()))
        case HeadKind.REGRESSION:
            assert found.value is not None
            yield _Given(None, found.value, None, *(found.interval or ()))
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            labelled = found.kind is HeadKind.MULTI_LABEL
            for name, probability in probabilities.items():
                present = name in (found.flags or ())
                yield _Given(name if labelled else None, present, probability)
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            assert found.outcome is not None
            yield _Given(None, found.outcome, probabilities[found.outcome])
