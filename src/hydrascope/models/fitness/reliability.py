"""The probability that an answer is right, from its confidence and the sensors it could use.

Shapes: R rows of a head, G graphs, S sensors in the batch, H heads, K features of a row.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_layout import sensor_graph
from hydrascope.models.layers.segment import segment_sum
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_TINY = 1e-6
FEATURES = 5
"""K: 1, the log odds of the answer, the share of its basis that is missing, its square, and how far
the sensors contradict each other."""


class Trust(NamedTuple):
    """How far the answers of a head can be trusted."""

    right: Tensor
    """[R, 1]; the probability that the answer is right; 0 without any observation."""
    basis: Tensor
    """[R, 1]; the share of the answer's usual basis that was there, 1 − m."""


class Reliability(nn.Module):
    """Estimates how probable it is that each answer of a window is right.

        p = σ(w · (1, log odds of the answer, m, m², e))        m = Σ_missing ρ_s / Σ ρ_s

    ρ_s is the reliance of a head on sensor s: how far its answers move on average if the sensor is
    missing. So m is the missing share of what the answer is usually based on. e is how far the
    sensors contradict each other (`Plausible.excess`). The weights w of each head are fitted on
    held-out windows, with random sensors removed or taken from another window.

    Reliance is that of the sensor's own place in the machine. In a build that training did not
    show, it is the mean over the sensors with the same role.

    Args:
        spec: The description of the inputs.
        heads: The heads that are answered.

    Attributes:
        reliance: [H, slots + 1].
        role_reliance: [H, roles + 1].
        weights: [H, K].
        least: [H]; the probability from which an answer of the head is reliable.
    """

    reliance: Tensor
    role_reliance: Tensor
    weights: Tensor
    least: Tensor

    def __init__(self, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__()
        self.heads, self.slots = tuple(heads), len(spec.sensor_slots)
        count = len(self.heads)
        self.register_buffer("reliance", torch.ones(count, self.slots + 1))
        self.register_buffer("role_reliance", torch.ones(count, len(spec.sensor_roles) + 1))
        certain = F.one_hot(torch.tensor(0), FEATURES) * 20.0
        self.register_buffer("weights", certain.repeat(count, 1))  # all are reliable before the fit
        self.register_buffer("least", torch.zeros(count))

    def missing_share(self, inputs: GraphInputs) -> Tensor:
        """Return m of each head and graph, [H, G]; 1 for a graph without any observation."""
        known = inputs.sensor_slot < self.slots
        reliance = torch.where(
            known, self.reliance[:, inputs.sensor_slot], self.role_reliance[:, inputs.sensor_role]
        ).T
        observed = inputs.sensor_observed.to(reliance.dtype).mean(1, keepdim=True)
        graph, graphs = sensor_graph(inputs), len(inputs.graph_id)
        total = segment_sum(reliance, graph, graphs)
        there = segment_sum(reliance * observed, graph, graphs)
        return torch.where(total > 0, 1.0 - there / total.clamp(min=_TINY), 1.0).T

    def forward(
        self, inputs: GraphInputs, excess: Tensor, answers: Mapping[str, Tensor]
    ) -> dict[str, Trust]:
        """Judge the decoded, calibrated answers of each head that is answered.

        Args:
            inputs: Without the sensors that are not plausible.
            excess: [G]; e.
            answers: [R, …] by head.
        """
        shares = self.missing_share(inputs)
        found = {}
        for number, head in enumerate(self.heads):
            if head.name not in answers:
                continue
            missing, beyond = shares[number], excess
            if head.level is HeadLevel.COMPONENT:
                missing, beyond = (each[inputs.component_graph] for each in (missing, beyond))
            row = features(head, answers[head.name], missing, beyond)
            right = (row @ self.weights[number]).sigmoid().masked_fill(missing >= 1.0, 0.0)
            found[head.name] = Trust(right.unsqueeze(1), (1.0 - missing).unsqueeze(1))
        return found

    @property
    def least_right(self) -> dict[str, float]:
        """`least` by the name of the head."""
        names = (head.name for head in self.heads)
        return dict(zip(names, self.least.tolist(), strict=True))


def features(head: HeadSpec, answer: Tensor, missing: Tensor, excess: Tensor) -> Tensor:
    """Return the features of rows, [R, K].

    Args:
        head: The head that answered.
        answer: [R, …]; decoded and calibrated.
        missing: [R]; m.
        excess: [R]; e.
    """
    odds = torch.zeros_like(missing)
    if head.kind is not HeadKind.REGRESSION:
        confidence = answer_confidence(head, answer).clamp(_TINY, 1.0 - _TINY)
        odds = confidence.logit()
    return torch.stack([torch.ones_like(missing), odds, missing, missing.square(), excess], dim=1)


def answer_confidence(head: HeadSpec, answer: Tensor) -> Tensor:
    """Return the probability of the most probable outcome, [R]; with labels, of all together."""
    if head.kind in (HeadKind.BINARY, HeadKind.MULTI_LABEL):
        return torch.maximum(answer, 1.0 - answer).prod(1)
    return answer.amax(1)
