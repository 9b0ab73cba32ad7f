"""Attribution of an answer to sensors, components and steps.

Shapes: B windows, S sensors, T steps, F features, N components, of one machine.
"""

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.graphs.fields import SensorReference, WindowFields
from hydrascope.models.decode import decode, log_probabilities
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.schemas.machine import GraphTopology
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


class Explained:
    """One answer in one window, as a function of the sensors' features.

    Args:
        diagnoser: In evaluation mode.
        data: The data that hold the window.
        window: Row of the window table.
        head: The head that answered.
        component: Position of the component concerned; −1 at machine level.
        label: Position of the label, for a head with labels.
    """

    def __init__(
        self,
        diagnoser: Diagnoser,
        data: HydraulicDataModule,
        window: int,
        head: HeadSpec,
        component: int = -1,
        label: int = 0,
    ) -> None:
        self._diagnoser, self._head = diagnoser, head
        self._component, self._label = component, label
        ((machine, _),) = data.dataset.locate(np.array([window]))
        self._layout = machine.layout
        inputs = data.dataset.gather([window]).inputs
        self._fields = WindowFields(
            inputs.sensor_features.unsqueeze(0),
            inputs.sensor_observed.unsqueeze(0),
            inputs.edge_dynamic.unsqueeze(0),
            inputs.edge_dynamic_mask.unsqueeze(0),
            inputs.machine_features,
            inputs.machine_features_mask,
        )
        self._reference = SensorReference(inputs.sensor_reference, inputs.sensor_reference_mask)
        self.features = inputs.sensor_features.unsqueeze(0)
        """The window's features, [1, S, T, F]."""
        normalizer = diagnoser.normalizer
        center = normalizer.center[normalizer.row(inputs.sensor_slot, inputs.sensor_kind)]
        self.usual = center.expand_as(inputs.sensor_features).unsqueeze(0)
        """The sensors' average features in training, [1, S, T, F]."""
        with torch.no_grad():
            self._outcome = int(self._logs(self.features)[0].argmax())

    def score(self, features: Tensor) -> Tensor:
        """Return the score, [B], of the window's answer for features [B, S, T, F].

        For a head with outcomes, the temperature is not applied: it would only scale the score.
        """
        answer = self._logs(features)
        if self._head.kind is HeadKind.REGRESSION:
            return answer[:, 0]
        others = torch.cat([answer[:, : self._outcome], answer[:, self._outcome + 1 :]], dim=1)
        return answer[:, self._outcome] - others.logsumexp(dim=1)

    def _logs(self, features: Tensor) -> Tensor:
        """Return the log probabilities of the outcomes, [B, K], or the value, [B, 1]."""
        count = len(features)
        repeated = WindowFields(*(each.expand(count, *each.shape[1:]) for each in self._fields))
        windows = repeated._replace(sensor_features=features)
        inputs = self._layout.batch(windows, self._reference)
        head = self._head
        raw = self._diagnoser.raw(inputs).heads[head.name]
        if head.level is HeadLevel.COMPONENT:
            raw = raw.reshape(count, -1, raw.shape[1])[:, self._component]
        if head.kind is HeadKind.REGRESSION:
            value = self._label if head.labels else head.median
            return decode(head, raw)[:, [value]]
        logs: Tensor = log_probabilities(head, raw)
        return logs if logs.ndim == 2 else logs[:, self._label]


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
