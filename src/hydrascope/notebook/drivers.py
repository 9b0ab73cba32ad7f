"""Tables of how much each sensor contributed to an answer. Needs captum."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from hydrascope.evaluation.explain import Explained, ExplainedWindow, Question, explain
from hydrascope.graphs.fields import WindowFields
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.notebook.answer_table import Answer
from hydrascope.schemas import GraphTopology
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.serving.model.machine_cache import PreparedMachine

_SHOWN = Answer._fields[: Answer._fields.index("answer") + 1]
"""The fields of an answer that the table shows."""


class Driver(NamedTuple):
    """The contribution of one sensor to one answer.

    Attributes:
        answer: The answer.
        sensor_id: The sensor.
        sensor_component: The ID of the component that carries the sensor.
        added: The contribution, positive for the answer and negative against it. In log odds, or in
            the head's unit if the answer is a value.
        share: The share of the sizes of all contributions, 0 to 1.
    """

    answer: Answer
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
        yield Driver(answer, sensor.id, carrier, value, abs(value) / total)


def drivers_table(drivers: Sequence[Driver]) -> pd.DataFrame:
    """Return a row a driver: its answer up to `answer`, then its other fields."""
    rows = [(*each.answer[: len(_SHOWN)], *each[1:]) for each in drivers]
    table = pd.DataFrame(rows, columns=[*_SHOWN, *Driver._fields[1:]])
    return table.astype({"answer": "object"})


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
