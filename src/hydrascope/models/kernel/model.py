"""The discriminant: a module that is fitted, and answers in the diagnoser.

Shapes: G graphs, S sensors of the batch, P places of sensors, T steps, F features, D = P·T·F,
n rows of the support, R of them and all draws' transplants, V draws, C classes of all questions.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ClosedFormModel, LabelledWindows, ModelOutput
from hydrascope.models.blocks.sensor_layout import lay_out, rows_of
from hydrascope.models.decode import encode
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.models.kernel.fit import (
    LabelledRows,
    Solution,
    solve,
    train_metric,
    with_transplants,
)
from hydrascope.models.kernel.metric import LearnedMetric
from hydrascope.models.kernel.reading import choose, families, read
from hydrascope.models.kernel.rows import Scale, feature_scale
from hydrascope.models.kernel.transplant import Transplants, draw_transplants
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadSpec

_NEVER = -1e4
"""Log probability of a class that training did not show."""


class Draw(NamedTuple):
    """One fit."""

    added: Transplants
    solution: Solution


class KernelDiscriminant(ClosedFormModel):
    """Grades components by how alike a window is to windows of known grades; it has buffers only.

    Machines are of one build: a window is a row of fixed meaning, in which what is not observed
    stands at the mean of training. Draws share the metric and the support, of which their
    transplants are sums, so that all of them cost one product. Works in float64, because the
    regression's coefficients are large beside their sums.

    Args:
        config: How it is fitted.
        spec: Of the inputs.
        heads: What is asked for.

    Raises:
        SpecError: The machines are of several builds.
    """

    Config = DiscriminantConfig

    center: Tensor
    """[P, T, F]; of the normalised features."""
    inverse: Tensor
    """[P, T, F]; 1 / scale, likewise."""
    features: Tensor
    """[n, D]; the support, standardised."""
    transplants: Tensor
    """[3, R − n] int64; each draw's after the other's."""
    slope: Tensor
    """[D]; 2g weight²."""
    lengths: Tensor
    """[R]; g‖u'‖² of the rows: the support and, after it, the transplants."""
    gaussian: Tensor
    """[R, V · C]; what the Gaussian kernel is multiplied by."""
    linear: Tensor
    """[D, V · C]; what the linear kernel comes to, as a map of the features."""
    bias: Tensor
    """[V, C]"""

    def __init__(
        self, config: DiscriminantConfig, spec: InputSpec, heads: Sequence[HeadSpec]
    ) -> None:
        super().__init__(config, spec, heads)
        self.config, self._families = config, families(spec.feature_names)
        self._shape = len(spec.sensor_slots), spec.steps, len(spec.feature_names)
        if len(spec.builds) != 1:
            raise SpecError(
                f"model: a discriminant needs machines of one topology, not {len(spec.builds)}; "
                "accepted with several: linear, or a network such as gatv2_arma"
            )
        self._make_buffers(0, 0, 0)

    def _make_buffers(self, support: int, transplants: int, draws: int) -> None:
        """Make room for a fit of so many rows, transplants of all draws, and draws."""
        numbers, rows = math.prod(self._shape), support + transplants
        classes = sum(len(question.classes) for question in self.questions)
        sizes: dict[str, tuple[int, ...]] = {
            "center": self._shape,
            "inverse": self._shape,
            "features": (support, numbers),
            "slope": (numbers,),
            "lengths": (rows,),
            "gaussian": (rows, draws * classes),
            "linear": (numbers, draws * classes),
            "bias": (draws, classes),
        }
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size, dtype=torch.float64))
        self.register_buffer("transplants", torch.zeros(3, transplants, dtype=torch.int64))

    def record(self) -> dict[str, Any]:
        """Return the questions and how large the fit is."""
        sizes = [len(self.features), self.transplants.shape[1], len(self.bias)]
        return super().record() | {"sizes": sizes}

    def prepare(self, record: Mapping[str, Any]) -> None:
        """Ask what was asked, and make room."""
        super().prepare(record)
        self._make_buffers(*record["sizes"])

    def fit(self, windows: LabelledWindows, seed: int) -> dict[str, str]:
        """Choose the questions, train the metric, solve each draw; see `models.base`."""
        config = self.config
        (asked, numbers) = choose(windows, self.asked, config.max_rows, seed)
        self.ask(asked.questions)
        if not asked.questions:
            return asked.unanswered
        places, steps, _ = self._shape
        found = read(windows, numbers, places)
        scale = feature_scale(found.features, found.observed, asked.combination)
        support = scale.apply(found.features, found.observed).flatten(1)
        rows = LabelledRows(support, asked.label, asked.combination)
        metric = LearnedMetric(places, steps, self._families)
        random = np.random.default_rng(seed)
        drawn = [
            draw_transplants(asked.combination.numpy(), config.transplants, random)
            for _ in range(config.draws)
        ]
        train_metric(metric, with_transplants(rows, drawn[0]), asked.questions, config, random)
        draws = [Draw(added, solve(metric, rows, added, asked.questions)) for added in drawn]
        self.adopt(scale, support, metric, draws)
        return asked.unanswered

    @torch.no_grad()
    def adopt(
        self, scale: Scale, support: Tensor, learned: LearnedMetric, draws: Sequence[Draw]
    ) -> None:
        """Answer by what was fitted for the questions, the kernel's factors multiplied out."""
        metric, n = learned.values(), len(support)
        weight = metric.weight.square()
        added = Transplants(*map(torch.cat, zip(*(draw.added for draw in draws), strict=True)))
        features = added.append_to(support, 0)
        given = [draw.solution.coefficients for draw in draws]
        # No draw reads another's transplants.
        own = torch.block_diag(*(each[n:] for each in given))  # type: ignore[no-untyped-call]
        coefficients = torch.cat((torch.cat([each[:n] for each in given], 1), own))
        self._make_buffers(n, len(added.base), len(draws))
        for name, value in {
            "center": scale.center,
            "inverse": scale.inverse,
            "features": support,
            "transplants": torch.stack(added),
            "slope": 2.0 * metric.width * weight,
            "lengths": metric.width * (features.square() @ weight),
            "gaussian": coefficients / (2.0 * metric.width),
            "linear": metric.linear * weight.unsqueeze(1) * (features.T @ coefficients),
            "bias": torch.stack([draw.solution.bias for draw in draws]),
        }.items():
            self.get_buffer(name).copy_(value)

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Answer a batch by the mean of the draws' probabilities.

        All components of a machine get the one answer; a head speaks of one of them.
        """
        heads = {}
        by_name = {head.name: head for head in self.answered}
        for question, logits in zip(self.questions, self._logits(inputs), strict=True):
            log = logits.log_softmax(dim=2).logsumexp(1) - math.log(logits.shape[1])
            shown = torch.tensor(question.classes, device=log.device)
            whole = torch.full_like(log[:, :1], _NEVER).repeat(1, question.size)
            raw = encode(by_name[question.head], whole.index_copy(1, shown, log)).float()
            heads[question.head] = raw.index_select(0, inputs.component_graph)
        return ModelOutput(heads)

    def _logits(self, inputs: GraphInputs) -> tuple[Tensor, ...]:
        """Return each question's logits of each draw, [G, V, classes], by `metric.kernel`."""
        x = self._rows(inputs)
        inner = self.features @ (self.slope * x).T  # of few windows, reading the support is longest
        inner = Transplants(*self.transplants).append_to(inner, 0)
        own = 0.5 * (x.square() @ self.slope)  # g‖u‖²
        alike = torch.exp(inner - self.lengths.unsqueeze(1) - own).T
        logits = self.bias.flatten() + alike @ self.gaussian + x @ self.linear
        sizes = [len(question.classes) for question in self.questions]
        return logits.reshape(-1, *self.bias.shape).split_with_sizes(sizes, 2)

    def _rows(self, inputs: GraphInputs) -> Tensor:
        """Return the windows as standardised rows, [G, D] float64."""
        graphs, places = inputs.graph_id.shape[0], self._shape[0]
        slot = inputs.sensor_slot
        scale = Scale(self.center.index_select(0, slot), self.inverse.index_select(0, slot))
        z = scale.apply(inputs.sensor_features, inputs.sensor_observed)
        return lay_out(z, rows_of(inputs, slot, places), graphs, places).flatten(1)
