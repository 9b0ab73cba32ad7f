"""The fitted readout: a module that answers, as part of the diagnoser and of its exported program.

Shapes: G graphs, S sensors of the batch, P places of sensors, T steps, F features, n rows of the
support, m transplants of them, V draws, Q questions, Z channels of the embedding, C classes of a
question.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.kernel.fit import Solution
from hydrascope.models.kernel.metric import LearnedMetric, Metric, Products, kernel
from hydrascope.models.kernel.questions import Question
from hydrascope.models.kernel.rows import Rows, Scale, dense, place_of
from hydrascope.models.kernel.transplant import Transplants


class Draw(NamedTuple):
    """One fit."""

    added: Transplants
    metric: LearnedMetric
    solution: Solution


class DiscriminantReadout(nn.Module):
    """Answers questions from raw features and the network's embedding; it has buffers only.

    Machines are of one build: a window is a row of fixed meaning, in which what is not observed
    stands at the mean of training. All draws share the support, of which their transplants are
    sums, so that these cost no products of their own. Works in float64, because the regression's
    coefficients are large beside their sums.

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
    transplants: Tensor
    feature_squares: Tensor
    embedding_squares: Tensor

    def __init__(self, questions: Sequence[Question], buffers: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.questions = tuple(questions)
        for name, value in buffers.items():
            self.register_buffer(name, value.double() if value.is_floating_point() else value)

    @classmethod
    def of(
        cls,
        questions: Sequence[Question],
        scale: Scale,
        embedding_scale: Scale,
        support: Rows,
        draws: Sequence[Draw],
    ) -> "DiscriminantReadout":
        """Gather what was fitted."""
        metrics = [[draw.metric.of(number) for number in range(len(questions))] for draw in draws]
        buffers = {
            "center": scale.center,
            "inverse": scale.inverse,
            "embedding_center": embedding_scale.center,
            "embedding_inverse": embedding_scale.inverse,
            "features": support.features,
            "embedding": support.embedding,
            "transplants": torch.stack([torch.stack(draw.added) for draw in draws]),
        }
        for name in Metric._fields:
            values = [torch.stack([getattr(each, name) for each in draw]) for draw in metrics]
            buffers[f"metric_{name}"] = torch.stack(values).detach()
        whole = [Rows(*(draw.added.append_to(part, 0) for part in support)) for draw in draws]
        squared = buffers["metric_weight"].square()
        lengths = [
            weight @ rows.features.square().T for weight, rows in zip(squared, whole, strict=True)
        ]
        buffers["feature_squares"] = torch.stack(lengths)
        lengths = [rows.embedding.square().sum(1) for rows in whole]
        buffers["embedding_squares"] = torch.stack(lengths)
        for number in range(len(questions)):
            for name in Solution._fields:
                values = [getattr(draw.solution, name)[number] for draw in draws]
                buffers[f"{name}_{number}"] = torch.stack(values)
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
        """Return each question's probabilities, [G, size], summing to 1: the mean over draws.

        A class that training did not show has none.

        Args:
            inputs: With raw features.
            embedding: [G, Z], where the kernel reads it.
        """
        answers = {}
        for question, logits in zip(self.questions, self._logits(inputs, embedding), strict=True):
            probability = torch.stack([each.softmax(dim=1) for each in logits]).mean(0)
            shown = torch.tensor(question.classes, device=probability.device)
            whole = probability.new_zeros((probability.shape[0], question.size))
            answers[question.head] = whole.index_copy(1, shown, probability).float()
        return answers

    def log_probabilities(self, inputs: GraphInputs, embedding: Tensor | None) -> dict[str, Tensor]:
        """Return the logarithms of the same, [G, C], float64, of the classes that training showed.

        Probabilities themselves are often 0 or 1 to the last digit, which says nothing of what
        drove them.
        """
        return {
            question.head: torch.stack([each.log_softmax(dim=1) for each in logits]).logsumexp(0)
            - math.log(len(logits))
            for question, logits in zip(
                self.questions, self._logits(inputs, embedding), strict=True
            )
        }

    def _logits(self, inputs: GraphInputs, embedding: Tensor | None) -> list[list[Tensor]]:
        """Return each question's logits of each draw, [G, C]."""
        alike = self._alike(self.rows(inputs, embedding))
        logits = []
        for number in range(len(self.questions)):
            coefficients = self.get_buffer(f"coefficients_{number}")
            bias = self.get_buffer(f"bias_{number}")
            logits.append(
                [
                    kernels[number] @ weights + offset
                    for kernels, weights, offset in zip(alike, coefficients, bias, strict=True)
                ]
            )
        return logits

    def _alike(self, rows: Rows) -> list[Tensor]:
        """Return how alike windows are to the support and each draw's transplants, [Q, G, n + m].

        All draws share one product with the support: of few windows, reading it takes the longest.
        """
        features: list[Products | None] = [None] * len(self.transplants)
        embedding = list(features)
        added = [Transplants(*each) for each in self.transplants]
        if self.features.shape[1]:
            squared = self.get_buffer("metric_weight").square()
            inner = (rows.features * squared.unsqueeze(2)) @ self.features.T
            left = squared @ rows.features.square().T
            features = [
                Products(more.append_to(mine, 2), *lengths)
                for more, mine, *lengths in zip(
                    added, inner, left, self.feature_squares, strict=True
                )
            ]
        if self.embedding.shape[1]:
            inner = rows.embedding @ self.embedding.T
            left = rows.embedding.square().sum(1)
            embedding = [
                Products(more.append_to(inner, 1), left, lengths)
                for more, lengths in zip(added, self.embedding_squares, strict=True)
            ]
        metrics = zip(*(self.get_buffer(f"metric_{name}") for name in Metric._fields), strict=True)
        return [
            kernel(Metric(*metric), *products)
            for metric, *products in zip(metrics, features, embedding, strict=True)
        ]
