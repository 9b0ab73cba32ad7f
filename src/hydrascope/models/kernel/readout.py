"""The fitted readout: a module that answers, as part of the diagnoser and of its exported program.

Shapes: G graphs, S sensors of the batch, P places of sensors, T steps, F features, n rows of the
support, Z channels of the embedding, C classes of a question.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.kernel.fit import LabelledRows, Solution
from hydrascope.models.kernel.metric import LearnedMetric, Metric, kernel
from hydrascope.models.kernel.questions import Question
from hydrascope.models.kernel.rows import Rows, Scale, dense, place_of


class DiscriminantReadout(nn.Module):
    """Answers questions from raw features and the network's embedding; it has buffers only.

    Machines are of one build: a window is a row of fixed meaning, in which what is not observed
    stands at the mean of training. Works in float64, because the regression's coefficients are
    large beside their sums; features of the support are kept in float32, as they are measured.

    Args:
        questions: What is answered.
        buffers: As `of` makes them, or as a checkpoint holds them.
    """

    center: Tensor
    inverse: Tensor
    embedding_center: Tensor
    embedding_inverse: Tensor
    features: Tensor
    embedding: Tensor

    def __init__(self, questions: Sequence[Question], buffers: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.questions = tuple(questions)
        for name, value in buffers.items():
            self.register_buffer(name, value)

    @classmethod
    def of(
        cls,
        questions: Sequence[Question],
        scale: Scale,
        embedding_scale: Scale,
        support: LabelledRows,
        metric: LearnedMetric,
        solution: Solution,
    ) -> "DiscriminantReadout":
        """Gather what was fitted; `support` in float32 precision."""
        buffers = {
            "center": scale.center,
            "inverse": scale.inverse,
            "embedding_center": embedding_scale.center,
            "embedding_inverse": embedding_scale.inverse,
            "features": support.rows.features.float(),
            "embedding": support.rows.embedding.float(),
        }
        for number in range(len(questions)):
            for name, value in metric.of(number)._asdict().items():
                buffers[f"metric_{number}_{name}"] = value.detach().clone()
            buffers[f"coefficients_{number}"] = solution.coefficients[number]
            buffers[f"bias_{number}"] = solution.bias[number]
        return cls(questions, buffers)

    def record(self) -> dict[str, Any]:
        """Return plain data and tensors for a checkpoint; `from_record` is the way back."""
        questions = [[q.head, q.size, list(q.classes)] for q in self.questions]
        return {"questions": questions, "buffers": dict(self.named_buffers())}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "DiscriminantReadout":
        """Build it again as a checkpoint holds it."""
        questions = [
            Question(head, size, tuple(classes)) for head, size, classes in record["questions"]
        ]
        return cls(questions, record["buffers"])

    def rows(self, inputs: GraphInputs, embedding: Tensor | None) -> Rows:
        """Return the windows of a batch of raw features as standardised rows, float64."""
        graphs, places = inputs.graph_id.shape[0], self.center.shape[0]
        slot = inputs.sensor_slot
        scale = Scale(self.center.index_select(0, slot), self.inverse.index_select(0, slot))
        z = scale.apply(inputs.sensor_features, inputs.sensor_observed)
        features = dense(z, place_of(inputs, places), graphs, places).flatten(1)
        if not self.features.shape[1]:
            features = features[:, :0]
        channels = self.embedding.shape[1]
        if not channels:
            return Rows(features, features.new_zeros((graphs, 0)))
        assert embedding is not None
        return Rows(features, (embedding - self.embedding_center) * self.embedding_inverse)

    def forward(self, inputs: GraphInputs, embedding: Tensor | None) -> dict[str, Tensor]:
        """Return each question's probabilities, [G, size], summing to 1.

        A class that training did not show has none.

        Args:
            inputs: With raw features.
            embedding: [G, Z], where the kernel reads it.
        """
        rows = self.rows(inputs, embedding)
        support = Rows(self.features.double(), self.embedding.double())
        answers = {}
        for number, question in enumerate(self.questions):
            metric = Metric(*(self.get_buffer(f"metric_{number}_{n}") for n in Metric._fields))
            alike = kernel(rows, support, metric)
            logits = alike @ self.get_buffer(f"coefficients_{number}")
            probability = (logits + self.get_buffer(f"bias_{number}")).softmax(dim=1)
            shown = torch.tensor(question.classes, device=probability.device)
            whole = probability.new_zeros((rows.features.shape[0], question.size))
            answers[question.head] = whole.index_copy(1, shown, probability).float()
        return answers
