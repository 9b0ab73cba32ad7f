"""The fitted readout: a module that answers, as part of the diagnoser and of its exported program.

Shapes: G graphs, S sensors of the batch, P places of sensors, T steps, F features, D = P·T·F,
n rows of the support, R of them and all draws' transplants, V draws, Z channels of the embedding,
C classes of all questions together.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.kernel.fit import Solution
from hydrascope.models.kernel.metric import EMBEDDING_WIDTH, LearnedMetric
from hydrascope.models.kernel.questions import Question
from hydrascope.models.kernel.rows import Rows, Scale, dense, place_of
from hydrascope.models.kernel.transplant import Transplants
from hydrascope.schemas.errors import SpecError


class Draw(NamedTuple):
    """One fit."""

    added: Transplants
    solution: Solution


class DiscriminantReadout(nn.Module):
    """Answers questions from raw features and the network's embedding; it has buffers only.

    Machines are of one build: a window is a row of fixed meaning, in which what is not observed
    stands at the mean of training. Draws share the metric and the support, of which their
    transplants are sums, so that all of them cost one product. Works in float64, because the
    regression's coefficients are large beside their sums.

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
    slope: Tensor
    """[D]; 2g weight²."""
    lengths: Tensor
    """[R]; g‖u'‖² of the rows: the support and, after it, each draw's transplants."""
    embedding_lengths: Tensor
    """[R]; h‖z'‖²."""
    gaussian: Tensor
    """[R, V · C]; what the Gaussian kernel over the features is multiplied by."""
    embedding_gaussian: Tensor
    """[R, V · C]; the same over the embedding."""
    linear: Tensor
    """[D, V · C]; what the linear kernel comes to, as a map of the features."""
    bias: Tensor
    """[V, C]"""

    def __init__(self, questions: Sequence[Question], buffers: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.questions = tuple(questions)
        for name, value in buffers.items():
            self.register_buffer(name, value.double() if value.is_floating_point() else value)

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        questions: Sequence[Question],
        scale: Scale,
        embedding_scale: Scale,
        support: Rows,
        learned: LearnedMetric,
        draws: Sequence[Draw],
    ) -> "DiscriminantReadout":
        """Gather what was fitted, the kernel's factors multiplied out."""
        metric, n = learned.values(), len(support.features)
        weight = metric.weight.square()
        added = Transplants(*map(torch.cat, zip(*(draw.added for draw in draws), strict=True)))
        features, embedding = (added.append_to(part, 0) for part in support)
        given = [draw.solution.coefficients for draw in draws]
        # No draw reads another's transplants.
        own = torch.block_diag(*(each[n:] for each in given))  # type: ignore[no-untyped-call]
        coefficients = torch.cat((torch.cat([each[:n] for each in given], 1), own))
        buffers = {
            "center": scale.center,
            "inverse": scale.inverse,
            "embedding_center": embedding_scale.center,
            "embedding_inverse": embedding_scale.inverse,
            "features": support.features,
            "embedding": support.embedding,
            "transplants": torch.stack(added),
            "slope": 2.0 * metric.width * weight,
            "lengths": metric.width * (features.square() @ weight),
            "embedding_lengths": EMBEDDING_WIDTH * embedding.square().sum(1),
            "gaussian": coefficients / (2.0 * metric.width) if len(weight) else coefficients[:0],
            "embedding_gaussian": metric.embedding * coefficients / (2.0 * EMBEDDING_WIDTH),
            "linear": metric.linear * weight.unsqueeze(1) * (features.T @ coefficients),
            "bias": torch.stack([draw.solution.bias for draw in draws]),
        }
        return cls(questions, buffers)

    def record(self) -> dict[str, Any]:
        """Return plain data and tensors for a checkpoint; `from_record` is the way back."""
        questions = [[q.head, q.size, list(q.classes)] for q in self.questions]
        return {"questions": questions, "buffers": dict(self.named_buffers())}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "DiscriminantReadout":
        """Build it again as a checkpoint holds it.

        Raises:
            SpecError: It was fitted by another version.
        """
        if record["buffers"].keys() != cls.__annotations__.keys():
            raise SpecError("ckpt: its readout is of another version of Hydrascope; train again")
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
            probability = logits.softmax(dim=2).mean(1)
            shown = torch.tensor(question.classes, device=probability.device)
            whole = probability.new_zeros((probability.shape[0], question.size))
            answers[question.head] = whole.index_copy(1, shown, probability).float()
        return answers

    def log_probabilities(self, inputs: GraphInputs, embedding: Tensor | None) -> dict[str, Tensor]:
        """Return their logarithms, [G, classes], float64, of the classes that training showed.

        Probabilities themselves are often 0 or 1 to the last digit, which says nothing of what
        drove them.
        """
        return {
            question.head: logits.log_softmax(dim=2).logsumexp(1) - math.log(logits.shape[1])
            for question, logits in zip(
                self.questions, self._logits(inputs, embedding), strict=True
            )
        }

    def _logits(self, inputs: GraphInputs, embedding: Tensor | None) -> tuple[Tensor, ...]:
        """Return each question's logits of each draw, [G, V, classes], by `metric.kernel`."""
        rows = self.rows(inputs, embedding)
        logits = self.bias.flatten()
        if self.features.shape[1]:
            alike = self._alike(rows.features, self.features, self.slope, self.lengths)
            logits = logits + alike @ self.gaussian + rows.features @ self.linear
        if self.embedding.shape[1]:
            slope = torch.full_like(self.embedding[0], 2.0 * EMBEDDING_WIDTH)
            alike = self._alike(rows.embedding, self.embedding, slope, self.embedding_lengths)
            logits = logits + alike @ self.embedding_gaussian
        sizes = [len(question.classes) for question in self.questions]
        return logits.reshape(-1, *self.bias.shape).split_with_sizes(sizes, 2)

    def _alike(self, x: Tensor, support: Tensor, slope: Tensor, lengths: Tensor) -> Tensor:
        """Return exp(−g‖u − u'‖²) of windows and rows, [G, R].

        Args:
            x: [G, D].
            support: [n, D].
            slope: [D]; 2g weight².
            lengths: [R]; g‖u'‖².
        """
        inner = support @ (slope * x).T  # of few windows, reading the support takes longest
        inner = Transplants(*self.transplants).append_to(inner, 0)
        own = 0.5 * (x.square() @ slope)  # g‖u‖²
        return torch.exp(inner - lengths.unsqueeze(1) - own).T
