"""Which sensors an answer leaned on, as a table; takes captum."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from hydrascope.evaluation.explain import Explained, ExplainedWindow, Question, explain
from hydrascope.graphs.fields import WindowFields
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.notebook.answer_table import Answer
from hydrascope.schemas.machine import GraphTopology
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.serving.model.machine_cache import PreparedMachine


class Driver(NamedTuple):
    """One row: what one sensor added to one answer.

    Attributes:
        equipment_id: The machine.
        start: Of the window, UTC.
        head: The question.
        component: Id of the component that is asked about; None of a question to the machine.
        label: Of a head that has several.
        answer: As `predict` gives it.
        sensor_id: The sensor.
        sensor_component: Id of the component that carries it.
        added: Above 0 it spoke for the answer, below against it; in log odds of the answer, or in
            the head's unit where the answer is a value.
        share: Of what all sensors added, either way; 0 to 1.
    """

    equipment_id: str
    start: pd.Timestamp
    head: str
    component: str | None
    label: str | None
    answer: str | float | bool
    sensor_id: str
    sensor_component: str
    added: float
    share: float


def drivers_of(
    diagnoser: TensorDiagnoser,
    prepared: PreparedMachine,
    fields: WindowFields,
    head: HeadSpec,
    answer: Answer,
) -> Iterator[Driver]:
    """Yield what each sensor added to an answer, those that added most first.

    Args:
        diagnoser: In evaluation mode.
        prepared: The machine.
        fields: Of the window alone.
        head: Whose answer it is.
        answer: That is explained.
    """
    topology = prepared.machine.topology
    window = ExplainedWindow(prepared.layout, fields, prepared.reference)
    added = explain(Explained(diagnoser, window, _question(head, answer, topology))).of_sensors()
    total = float(added.abs().sum()) or 1.0
    for row in added.abs().argsort(descending=True, stable=True).tolist():
        number, sensor = topology.sensors[row]
        value = float(added[row])
        carrier = topology.components[number].id
        yield Driver(*answer[:6], sensor.id, carrier, value, abs(value) / total)


def drivers_table(drivers: Sequence[Driver]) -> pd.DataFrame:
    """Return a row a driver, with the columns of `Driver`."""
    return pd.DataFrame(drivers, columns=Driver._fields).astype({"answer": "object"})


def _question(head: HeadSpec, answer: Answer, topology: GraphTopology) -> Question:
    component = -1 if answer.component is None else topology.component_index[answer.component]
    label = 0 if answer.label is None else head.labels.index(answer.label)
    match head.kind:
        case HeadKind.REGRESSION:
            outcome = None
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            outcome = int(bool(answer.answer))
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            outcome = [each.name for each in head.classes].index(str(answer.answer))
    return Question(head, component, label, outcome)
