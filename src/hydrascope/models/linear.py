"""Labels of whole machines from a linear map of the means of the sensors' features.

Shapes: G graphs, S sensors in the batch, P places of sensors over all builds, T steps, F features,
L labels over all questions, W windows, D = S·F values of a window.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ClosedFormModel, LabelledWindows, ModelOutput, Question
from hydrascope.models.blocks.sensor_layout import sensor_graph
from hydrascope.models.config import LinearConfig
from hydrascope.models.layers.pooling import known_mean
from hydrascope.models.layers.segment import segment_mean, segment_sum
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_CLIP = 4.0
"""The clipping limit in standard deviations: least squares is sensitive to outliers."""
_SLOPE = 4.0
"""The slope in the logistic function: at ½ it is then as steep as the straight line."""
_STILL = 1e-4
"""The standard deviation up to which the mean of a normalised feature counts as constant."""


class LinearModel(ClosedFormModel):
    """Answers heads with labels of whole machines; has only buffers.

        score = b_build + Σ over sensors  w_sensor · z(mean),   p = σ(4 (score − ½))

    The mean is that of a sensor's normalised features over the observed steps, and z standardises
    it. An unobserved sensor is set to the mean of the training data. Machines of builds that are
    not in the training data get the probability ½.

    Args:
        config: The options of the fit.
        spec: The description of the inputs.
        heads: The heads of the task.
    """

    Config = LinearConfig

    weight: Tensor
    """[P, F, L]"""
    offset: Tensor
    """[P, L]; b of the sensor's build."""

    def __init__(self, config: LinearConfig, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)
        self.config = config
        answerable = [head for head in heads if _is_answered(head)]
        self.ask([Question(head.name, head.size, tuple(range(head.size))) for head in answerable])
        labels = sum(question.size for question in self.questions)
        places, features = len(spec.sensor_slots), len(spec.feature_names)
        self.normalizer = FeatureNormalizer(places, 1, features, per_step=False, clip=_CLIP)
        self.register_buffer("weight", torch.zeros(places, features, labels))
        self.register_buffer("offset", torch.full((places, labels), 0.5))

    def fit(self, windows: LabelledWindows, seed: int) -> dict[str, str]:  # noqa: ARG002
        """Solve ridge regression for each build separately; see `models.base`.

        Memory does not grow with the number of windows.
        """
        reason = "it has no labels of whole machines"
        unanswered = {head.name: reason for head in self.asked if not _is_answered(head)}
        if not self.questions:
            return unanswered
        self.normalizer.fit((slot, means, seen) for slot, means, seen, _ in self._means(windows))
        scale = self.normalizer.scale
        scale.copy_(torch.where(scale > _STILL, scale, 1.0))
        builds: dict[tuple[int, ...], _Sums] = {}
        for slot, means, seen, targets in self._means(windows):
            count, sensors, _, features = means.shape
            flat = means.flatten(0, 1), seen.flatten(0, 1), slot.repeat(count)
            x = self.normalizer(*flat).reshape(count, sensors * features)
            labels = torch.cat([targets[head.name] for head in self.answered], dim=1)
            key = tuple(slot.tolist())
            if key not in builds:
                builds[key] = _Sums(x.shape[1], labels.shape[1])
            builds[key].add(x, labels)
        for key, sums in builds.items():
            if sums.rows:
                slot = torch.tensor(key)
                weight, offset = sums.solve(self.config.ridge)
                self.weight[slot] = weight.reshape(len(slot), -1, weight.shape[1]).float()
                self.offset[slot] = offset.float()
        return unanswered

    def _means(
        self, windows: LabelledWindows
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Mapping[str, Tensor]]]:
        """Yield slots [S], means [W, S, 1, F], whether they are known [W, S, 1] and targets."""
        for inputs, targets in windows.parts():
            count = len(inputs.graph_id)
            means, seen = sensor_means(inputs.sensor_features, inputs.sensor_observed)
            slot = inputs.sensor_slot.reshape(count, -1)[0]
            yield (
                slot,
                means.reshape(count, -1, *means.shape[1:]),
                seen.reshape(count, -1, 1),
                targets,
            )

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Return the log odds of each label, [G, size]."""
        slot, graphs = inputs.sensor_slot, inputs.graph_id.shape[0]
        graph = sensor_graph(inputs)
        means, seen = sensor_means(inputs.sensor_features, inputs.sensor_observed)
        z = self.normalizer(means, seen, slot)
        terms = torch.bmm(z, self.weight.index_select(0, slot)).squeeze(1)
        score = segment_mean(self.offset.index_select(0, slot), graph, graphs)
        score = _SLOPE * (score + segment_sum(terms, graph, graphs) - 0.5)
        parts = torch.split(score, [question.size for question in self.questions], dim=1)
        named = zip(self.questions, parts, strict=True)
        return ModelOutput({question.head: part for question, part in named})


class _Sums:
    """Running sums for the normal equations of one build; memory does not grow with the windows."""

    def __init__(self, numbers: int, labels: int) -> None:
        self.rows = 0
        self.x = torch.zeros(numbers, dtype=torch.float64)
        self.y = torch.zeros(labels, dtype=torch.float64)
        self.xx = torch.zeros(numbers, numbers, dtype=torch.float64)
        self.xy = torch.zeros(numbers, labels, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add rows [W, D] and labels [W, L]; rows with a missing label are skipped."""
        complete = ~y.isnan().any(dim=1)
        x, y = x[complete].double(), y[complete].double()
        self.rows += len(x)
        self.x += x.sum(0)
        self.y += y.sum(0)
        self.xx += x.T @ x
        self.xy += x.T @ y

    def solve(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Return weights [D, L] and offset [L] that minimise squares + ridge · ‖weights‖²."""
        x, y = self.x / self.rows, self.y / self.rows
        matrix = self.xx - self.rows * torch.outer(x, x)
        matrix.diagonal().add_(ridge)
        weight = torch.linalg.solve(matrix, self.xy - self.rows * torch.outer(x, y))
        return weight, y - x @ weight


def _is_answered(head: HeadSpec) -> bool:
    """Return whether a head has labels of whole machines that are present or absent."""
    labelled = head.kind in (HeadKind.BINARY, HeadKind.MULTI_LABEL)
    return labelled and head.level is HeadLevel.MACHINE


def sensor_means(features: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the sensors' features over the observed steps.

    Args:
        features: [S, T, F]; unobserved steps are not read.
        observed: [S, T] bool.

    Returns:
        The means [S, 1, F], and whether any step was observed, [S, 1] bool.
    """
    known = observed.unsqueeze(-1).expand_as(features)
    mean = known_mean(features, known)[:, : features.shape[2]]
    return mean.unsqueeze(1), observed.any(dim=1, keepdim=True)
