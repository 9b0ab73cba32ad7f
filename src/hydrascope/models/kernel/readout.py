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
from hydrascope.models.kernel.metric import EMBEDDING_WIDTH, LearnedMetric, Metric
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
            probability = logits.softmax(dim=2).mean(0)
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
            question.head: logits.log_softmax(dim=2).logsumexp(0) - math.log(len(logits))
            for question, logits in zip(
                self.questions, self._logits(inputs, embedding), strict=True
            )
        }

    def _logits(self, inputs: GraphInputs, embedding: Tensor | None) -> list[Tensor]:
        """Return each question's logits of each draw, [V, G, C].

        By `metric.kernel`, written so that little is left to do for each window: the kernel's
        factors that are the same for all rows stand with the coefficients.
        """
        rows, parts = self.rows(inputs, embedding), []
        width, linear, share = (
            self.get_buffer(f"metric_{name}") for name in ("width", "linear", "embedding")
        )
        if self.features.shape[1]:
            slope = 2.0 * width.unsqueeze(-1) * self.get_buffer("metric_weight").square()
            lengths = width.unsqueeze(-1) * self.feature_squares
            inner, gaussian = self._alike(rows.features, self.features, slope, lengths)
            alike = torch.addcmul(gaussian, inner, linear[..., None, None])
            parts.append((alike, 0.5 / width))
        if self.embedding.shape[1]:
            slope = torch.full_like(self.embedding[:1], 2.0 * EMBEDDING_WIDTH)
            lengths = EMBEDDING_WIDTH * self.embedding_squares.unsqueeze(1)
            slope = slope.expand(*width.shape, -1)
            _, gaussian = self._alike(rows.embedding, self.embedding, slope, lengths)
            parts.append((gaussian, 0.5 / EMBEDDING_WIDTH * share))
        logits = []
        for number in range(len(self.questions)):
            coefficients = self.get_buffer(f"coefficients_{number}")
            products = [
                alike[:, number] @ (factor[:, number, None, None] * coefficients)
                for alike, factor in parts
            ]
            logits.append(sum(products, self.get_buffer(f"bias_{number}").unsqueeze(1)))
        return logits

    def _alike(
        self, x: Tensor, support: Tensor, slope: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return 2g⟨u, u'⟩ and exp(−g‖u − u'‖²) for each draw, question and window.

        Both are [V, Q, G, n + m], of the support and, after it, the draw's transplants; all draws
        and questions share one product with the support: of few windows, reading it takes longest.

        Args:
            x: [G, D].
            support: [n, D].
            slope: [V, Q, D]; 2g weight².
            lengths: [V, Q or 1, n + m]; g‖u'‖².
        """
        draws, questions, _ = slope.shape
        scaled = (slope.unsqueeze(2) * x).flatten(0, 2)
        # With the support's rows in front, they and the transplants' summands lie in one piece.
        inner = (support @ scaled.T).reshape(len(support) * draws, -1)  # [n · V, Q · G]
        place = self.transplants.permute(1, 2, 0) * draws + torch.arange(draws, device=x.device)
        base, one, other = inner.index_select(0, place.flatten()).chunk(3)
        inner = torch.cat((inner, base + (one - other))).reshape(-1, draws, questions, x.shape[0])
        own = 0.5 * (slope @ x.square().T)  # g‖u‖²
        gaussian = torch.exp(inner - lengths.permute(2, 0, 1).unsqueeze(-1) - own)
        return inner.permute(1, 2, 3, 0), gaussian.permute(1, 2, 3, 0)
