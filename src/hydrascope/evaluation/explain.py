"""Attribution of an answer to sensors, components and steps.

Shapes: B windows, S sensors, T steps, F features, N components, of one machine.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs, SensorReference, WindowFields
from hydrascope.graphs.layout import GraphLayout
from hydrascope.models.decode import decode, log_probabilities
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas import GraphTopology
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

STEPS = 50
"""The number of steps of the path along which gradients are integrated (Gauss–Legendre)."""


@dataclass(frozen=True)
class Explanation:
    """The contribution of each sensor and step to an answer.

    Attributes:
        attribution: [S, T] in the unit of the score; positive values support the answer.
        score: The answer's score: log odds of the chosen outcome, or a regression's value.
        usual: The score if every sensor has its average features.
    """

    attribution: Tensor
    score: float
    usual: float

    def of_sensors(self) -> Tensor:
        """Return the contribution of each sensor, [S]."""
        return self.attribution.sum(1)

    def of_components(self, topology: GraphTopology) -> dict[str, float]:
        """Return the contribution of each component's sensors, by component id."""
        found: dict[str, float] = {}
        pairs = zip(topology.sensors, self.of_sensors().tolist(), strict=True)
        for (number, _), added in pairs:
            component = topology.components[number].id
            found[component] = found.get(component, 0.0) + added
        return found


class Question(NamedTuple):
    """One answer in a window, of those that are given.

    Attributes:
        head: Whose answer.
        component: Position of the component it speaks of; −1 at machine level.
        label: Of a head with labels, which.
        outcome: Of a head with outcomes, which is explained; None: the most probable.
    """

    head: HeadSpec
    component: int = -1
    label: int = 0
    outcome: int | None = None


class ExplainedWindow(NamedTuple):
    """One window of a machine: the static part of its graph, its numbers, its reference."""

    layout: GraphLayout
    fields: WindowFields
    reference: SensorReference | None


def stored_window(dataset: HydraulicGraphDataset, row: int) -> ExplainedWindow:
    """Return a window of a dataset by its row."""
    ((machine, _),) = dataset.locate(np.array([row]))
    fields = _fields_of(dataset.gather([row]).inputs)
    return ExplainedWindow(machine.layout, fields, machine.reference)


def _fields_of(inputs: GraphInputs) -> WindowFields:
    """Return the numbers of a batch of one window."""
    return WindowFields(
        inputs.sensor_features.unsqueeze(0),
        inputs.sensor_observed.unsqueeze(0),
        inputs.edge_dynamic.unsqueeze(0),
        inputs.edge_dynamic_mask.unsqueeze(0),
        inputs.machine_features,
        inputs.machine_features_mask,
    )


def _usual(normalizer: FeatureNormalizer, window: ExplainedWindow) -> Tensor:
    layout, reference = window.layout, window.reference
    if normalizer.method == "none":
        features = window.fields.sensor_features
        return torch.zeros_like(features) if reference is None else reference.sensor_reference
    center = normalizer.center[normalizer.row(layout.sensor_slot, layout.sensor_kind)]
    if normalizer.by == "machine" and reference is not None:
        center = center + reference.sensor_reference
    return center


class Explained:
    """One answer in one window, as a function of the sensors' features.

    A sensor that the answer did without, because its input is not plausible, contributes nothing.

    Args:
        diagnoser: In evaluation mode.
        window: The window that is explained.
        question: The answer that is explained.
    """

    def __init__(
        self, diagnoser: TensorDiagnoser, window: ExplainedWindow, question: Question
    ) -> None:
        self._diagnoser, self._question = diagnoser, question
        self._layout, self._fields, self._reference = window
        if diagnoser.fitness is not None:
            inputs = window.layout.batch(window.fields, window.reference)
            self._fields = _fields_of(diagnoser.fitness.screen(inputs).inputs)
        self.features = window.fields.sensor_features
        """The window's features, [1, S, T, F]."""
        self.usual = _usual(diagnoser.normalizer, window).expand_as(self.features)
        """The sensors' average features in training, or in the machine's reference windows if the
        model has no statistics of sensors, [1, S, T, F]."""
        if question.outcome is not None:
            self._outcome = question.outcome
        else:
            with torch.no_grad():
                self._outcome = int(self._logs(self.features)[0].argmax())

    def score(self, features: Tensor) -> Tensor:
        """Return the score, [B], of the window's answer for features [B, S, T, F].

        For a head with outcomes, the temperature is not applied: it would only scale the score.
        """
        answer = self._logs(features)
        if self._question.head.kind is HeadKind.REGRESSION:
            return answer[:, 0]
        others = torch.cat([answer[:, : self._outcome], answer[:, self._outcome + 1 :]], dim=1)
        return answer[:, self._outcome] - others.logsumexp(dim=1)

    def _logs(self, features: Tensor) -> Tensor:
        """Return the log probabilities of the outcomes, [B, K], or the value, [B, 1]."""
        count = len(features)
        repeated = WindowFields(*(each.expand(count, *each.shape[1:]) for each in self._fields))
        windows = repeated._replace(sensor_features=features)
        inputs = self._layout.batch(windows, self._reference)
        head = self._question.head
        raw = self._diagnoser.raw(inputs).heads[head.name]
        if head.level is HeadLevel.COMPONENT:
            raw = raw.reshape(count, -1, raw.shape[1])[:, self._question.component]
        if head.kind is HeadKind.REGRESSION:
            value = self._question.label if head.labels else head.median
            return decode(head, raw)[:, [value]]
        logs: Tensor = log_probabilities(head, raw)
        return logs if logs.ndim == 2 else logs[:, self._question.label]


def explain(explained: Explained) -> Explanation:
    """Integrate the score's gradient along the path from the usual features to the window's.

    The contributions sum to the difference of the two scores. Source: M. Sundararajan, A. Taly,
    Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017; computed by captum.
    """
    integrated = IntegratedGradients(explained.score, multiply_by_inputs=True)
    added: Tensor = integrated.attribute(
        explained.features, explained.usual, n_steps=STEPS, internal_batch_size=STEPS
    )
    with torch.no_grad():
        score, usual = explained.score(torch.cat([explained.features, explained.usual])).tolist()
    return Explanation(added[0].sum(-1).detach().float(), score, usual)
