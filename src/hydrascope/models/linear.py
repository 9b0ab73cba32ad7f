"""A readout of labels that is linear in the levels of the sensors, each with weights of its own.

Shapes: G graphs, S sensors of the batch, P places of sensors of all builds, T steps, F features,
L labels of all questions.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.kernel.questions import Question
from hydrascope.models.layers.pooling import known_mean
from hydrascope.models.layers.segment import segment_mean, segment_sum

_CLIP = 4.0
"""Standard deviations: least squares would follow what lies far out."""
_SLOPE = 4.0
"""Of the logistic curve's argument: at a half it is then as steep as the straight line."""


class LinearReadout(nn.Module):
    """Answers heads with labels of whole machines; it has buffers only.

        score = b_build + Σ over sensors  w_sensor · z(level),   p = σ(4 (score − ½))

    A sensor's level is the mean of its features over the observed steps beside its signed
    logarithm, sgn x · ln(1 + |x|): in logarithms what hydraulics multiplies becomes a sum, so that
    a pump's leakage over its pressure and viscosity is linear. z standardises it; a sensor that is
    not observed stands at its mean. Machines of builds that training has not shown get a half.

    Args:
        questions: What is answered; their classes are labels here.
        places: P.
        features: F.
    """

    weight: Tensor
    """[P, 2 F, L]"""
    offset: Tensor
    """[P, L]; b of the build that the sensor belongs to."""

    def __init__(self, questions: Sequence[Question], places: int, features: int) -> None:
        super().__init__()
        self.questions = tuple(questions)
        labels = sum(question.size for question in questions)
        self.normalizer = FeatureNormalizer(places, 1, 2 * features, per_step=False, clip=_CLIP)
        self.register_buffer("weight", torch.zeros(places, 2 * features, labels))
        self.register_buffer("offset", torch.full((places, labels), 0.5))

    def record(self) -> dict[str, Any]:
        """Return plain data and tensors for a checkpoint; `from_record` is the way back."""
        questions = [[q.head, q.size, list(q.classes)] for q in self.questions]
        return {"questions": questions, "buffers": dict(self.state_dict())}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Build it again as a checkpoint holds it."""
        buffers = record["buffers"]
        places, doubled, _ = buffers["weight"].shape
        questions = [
            Question(head, size, tuple(classes)) for head, size, classes in record["questions"]
        ]
        readout = cls(questions, places, doubled // 2)
        readout.load_state_dict(buffers)
        return readout

    def forward(self, inputs: GraphInputs, _embedding: Tensor | None = None) -> dict[str, Tensor]:
        """Return each question's probabilities, [G, size], of a batch of raw features."""
        slot, graphs = inputs.sensor_slot, inputs.graph_id.shape[0]
        graph = inputs.component_graph.index_select(0, inputs.sensor_component)
        level, seen = sensor_levels(inputs.sensor_features, inputs.sensor_observed)
        z = self.normalizer(level, seen, slot)
        said = torch.bmm(z, self.weight.index_select(0, slot)).squeeze(1)
        score = segment_mean(self.offset.index_select(0, slot), graph, graphs)
        score = score + segment_sum(said, graph, graphs)
        probability = torch.sigmoid(_SLOPE * (score - 0.5))
        parts = torch.split(probability, [question.size for question in self.questions], dim=1)
        return {question.head: part for question, part in zip(self.questions, parts, strict=True)}


def sensor_levels(features: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the readout reads of raw features, and whether there was anything to read.

    Args:
        features: [S, T, F]; what is not observed is not read.
        observed: [S, T] bool.

    Returns:
        [S, 1, 2 F] and [S, 1] bool.
    """
    known = observed.unsqueeze(-1).expand_as(features)
    level = known_mean(features, known)[:, : features.shape[2]]
    logarithm = level.sign() * level.abs().log1p()
    return torch.cat((level, logarithm), dim=1).unsqueeze(1), observed.any(dim=1, keepdim=True)
