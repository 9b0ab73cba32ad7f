"""The kernel discriminant as a model.

Shapes: G graphs, S sensors in the batch, P places of sensors, T steps, F features, D = P·T·F, n
    rows of the support, R rows of support and all draws' transplants, V draws, C classes of all
    questions.
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
"""The log probability of a class that is not in the training data."""


class Draw(NamedTuple):
    """One of the fits that are averaged."""

    added: Transplants
    solution: Solution


class KernelDiscriminant(ClosedFormModel):
    """Grades components by the similarity of a window to windows of known grades.

    All machines must have the same build, so that each window is a row with a fixed meaning.
    Unobserved values are set to the mean of the training data. Draws share the metric and the
    support. Their transplants are sums of support rows, so all draws together cost one product. The
    model works in float64, because the regression's coefficients are large compared with their
    sums. It has only buffers.

    Args:
        config: The options of the fit.
        spec: The description of the inputs.
        heads: The heads of the task.

    Raises:
        SpecError: The machines have several builds.
    """

    Config = DiscriminantConfig

    center: Tensor
    """The center of the normalised features, [P, T, F]."""
    inverse: Tensor
    """The inverse scale of the normalised features, [P, T, F]."""
    features: Tensor
    """The standardised support, [n, D]."""
    transplants: Tensor
    """The transplants of one draw after the other, [3, R − n] int64."""
    slope: Tensor
    """The vector 2g weight², [D]."""
    lengths: Tensor
    """The lengths g‖u'‖² of the support, followed by those of the transplants, [R]."""
    gaussian: Tensor
    """The coefficients of the Gaussian kernel, [R, V · C]."""
    linear: Tensor
    """The linear kernel's contribution as a map of the features, [D, V · C]."""
    bias: Tensor
    """The bias of each draw, [V, C]."""

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
        """Allocate the buffers for these numbers of rows, transplants over all draws, and draws."""
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
        """Return the questions and the sizes of the buffers."""
        sizes = [len(self.features), self.transplants.shape[1], len(self.bias)]
        return super().record() | {"sizes": sizes}

    def prepare(self, record: Mapping[str, Any]) -> None:
        """Set the questions and allocate the buffers."""
        super().prepare(record)
        self._make_buffers(*record["sizes"])

    def fit(self, windows: LabelledWindows, seed: int) -> dict[str, str]:
        """Choose the questions, train the metric, solve each draw; see `models.base`."""
        config = self.config
        chosen, numbers = choose(windows, self.asked, config.max_rows, seed)
        self.ask(chosen.questions)
        if not chosen.questions:
            return chosen.unanswered
        places, steps, _ = self._shape
        read_windows = read(windows, numbers, places)
        scale = feature_scale(read_windows.features, read_windows.observed, chosen.combination)
        support = scale.apply(read_windows.features, read_windows.observed).flatten(1)
        rows = LabelledRows(support, chosen.label, chosen.combination)
        metric = LearnedMetric(places, steps, self._families)
        random = np.random.default_rng(seed)
        drawn = [
            draw_transplants(chosen.combination.numpy(), config.transplants, random)
            for _ in range(config.draws)
        ]
        train_metric(metric, with_transplants(rows, drawn[0]), chosen.questions, config, random)
        draws = [Draw(added, solve(metric, rows, added, chosen.questions)) for added in drawn]
        self.adopt(scale, support, metric, draws)
        return chosen.unanswered

    @torch.no_grad()
    def adopt(
        self, scale: Scale, support: Tensor, learned: LearnedMetric, draws: Sequence[Draw]
    ) -> None:
        """Store the fit for prediction, with the kernel's factors multiplied out."""
        metric, n = learned.values(), len(support)
        weight = metric.weight.square()
        added = Transplants(*map(torch.cat, zip(*(draw.added for draw in draws), strict=True)))
        features = added.append_to(support, 0)
        by_draw = [draw.solution.coefficients for draw in draws]
        # The transplants of a draw do not enter the other draws.
        own = torch.block_diag(*(each[n:] for each in by_draw))  # type: ignore[no-untyped-call]
        coefficients = torch.cat((torch.cat([each[:n] for each in by_draw], 1), own))
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
        """Return the raw output for the mean of the draws' probabilities.

        All components of a machine get the same answer, because a head grades only one of them.
        """
        heads = {}
        by_name = {head.name: head for head in self.answered}
        for question, logits in zip(self.questions, self._logits(inputs), strict=True):
            log = logits.log_softmax(dim=2).logsumexp(1) - math.log(logits.shape[1])
            seen = torch.tensor(question.classes, device=log.device)
            whole = torch.full_like(log[:, :1], _NEVER).repeat(1, question.size)
            raw = encode(by_name[question.head], whole.index_copy(1, seen, log)).float()
            heads[question.head] = raw.index_select(0, inputs.component_graph)
        return ModelOutput(heads)

    def _logits(self, inputs: GraphInputs) -> tuple[Tensor, ...]:
        """Return each question's logits per draw, [G, V, classes], with `metric.kernel`."""
        x = self._rows(inputs)
        # The support stands on the left: with few windows, most of the time goes into reading it.
        inner = self.features @ (self.slope * x).T
        inner = Transplants(*self.transplants).append_to(inner, 0)
        own = 0.5 * (x.square() @ self.slope)  # g‖u‖²
        gaussian = torch.exp(inner - self.lengths.unsqueeze(1) - own).T
        logits = self.bias.flatten() + gaussian @ self.gaussian + x @ self.linear
        sizes = [len(question.classes) for question in self.questions]
        return logits.reshape(-1, *self.bias.shape).split_with_sizes(sizes, 2)

    def _rows(self, inputs: GraphInputs) -> Tensor:
        """Return the windows as standardised rows, [G, D] float64."""
        graphs, places = inputs.graph_id.shape[0], self._shape[0]
        slot = inputs.sensor_slot
        scale = Scale(self.center.index_select(0, slot), self.inverse.index_select(0, slot))
        z = scale.apply(inputs.sensor_features, inputs.sensor_observed)
        return lay_out(z, rows_of(inputs, slot, places), graphs, places).flatten(1)
