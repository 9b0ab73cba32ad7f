"""Adds what single sensors of a known build say to the answers by role.

Shapes: S sensors, F features, W windows, G graphs, B builds, D values of a row, P places of
components, K answers of a row.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.machine_rows import MachineRows
from hydrascope.models.blocks.row_answers import PlaceAnswers
from hydrascope.models.blocks.sensor_change import SensorChange
from hydrascope.models.layers.build_linear import by_build
from hydrascope.schemas.task import HeadKind, HeadSpec

_SHRINKAGE = 0.3
"""The value λ of the whitening; there are few windows for the covariance of so many sensors."""
_CLIP = 5.0
_TINY = 1e-3
"""The least deviation by which a difference is scaled, so that what hardly varies stays small."""
_PRIOR = 6.0
"""The prior standard deviation σ of what is added to a logit."""
_ROUNDS = 100
"""The most iterations of the fit."""


class LabelledBatch(NamedTuple):
    """Windows that `OwnSensors` is fitted to."""

    inputs: GraphInputs
    """The normalised inputs."""
    said: dict[str, Tensor]
    """The raw outputs of the network without `OwnSensors`, by head."""
    target: dict[str, Tensor]
    """1, 0, or NaN where unknown, in the same shapes."""


class OwnSensors(nn.Module):
    """Adds to the logit of each flag a linear map of all sensors of a known build.

        logit = network + z W_build

    z is the row of all differences d (`SensorChange`), each scaled by its own deviation over the
    training windows and then whitened together (`MachineRows`). So sensors are read that have no
    role, and inconsistencies between sensors of one build stand out. W has a column for each flag
    of each component. It is 0 until it is fitted after the training, with the network fixed, as the
    most probable one under the labels and a normal prior: z W has standard deviation σ for a usual
    window (logistic regression with an offset). The fit is convex and has no random part.

    Learned by gradient descent with the other weights, W was of no use with few machines.

    Args:
        heads: The heads of the network; of these, the ones with flags and without `evidence`.
        spec: The description of the inputs, with the slots of the sensors.
    """

    scale: Tensor
    weight: Tensor

    def __init__(self, heads: Sequence[HeadSpec], spec: InputSpec) -> None:
        super().__init__()
        flags = (HeadKind.BINARY, HeadKind.MULTI_LABEL)
        self.heads = [head for head in heads if head.kind in flags and head.evidence is None]
        self.change = SensorChange(spec)
        self.rows = MachineRows(
            spec, features=None, per_step=False, references=False, noise=0.0, shrinkage=_SHRINKAGE
        )
        self.places = PlaceAnswers(self.heads, spec.most_components)
        slots, builds = len(spec.sensor_slots), len(spec.builds)
        self.register_buffer("scale", torch.ones(slots, len(spec.feature_names)))
        self.register_buffer("weight", torch.zeros(builds, self.rows.width, self.places.size))

    def forward(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return what is added to the output of each head with flags, [N, size] or [G, size]."""
        rows, build = self.rows(self._scaled(inputs))
        answers: dict[str, Tensor] = self.places(inputs, by_build(rows, build, self.weight))
        return answers

    @torch.no_grad()
    def fit(self, windows: Sequence[LabelledBatch]) -> None:
        """Fit scale, whitening and map to labelled windows."""
        self._fit_scale([batch.inputs for batch in windows])
        self.rows.fit(lambda: (self._without_group(batch.inputs) for batch in windows))
        parts = [self.rows(self._scaled(batch.inputs)) for batch in windows]
        rows, build = (torch.cat(column) for column in zip(*parts, strict=True))
        said = torch.cat([self.places.join(batch.inputs, batch.said) for batch in windows])
        target = torch.cat([self.places.join(batch.inputs, batch.target) for batch in windows])
        self.weight.zero_()
        for number, mine in enumerate(build.bool().T):
            if mine.any():
                self.weight[number] = _most_probable(rows[mine], said[mine], target[mine])

    def _fit_scale(self, windows: Sequence[GraphInputs]) -> None:
        shape = self.scale.shape
        count = torch.zeros(shape[0], 1, dtype=torch.float64)
        total, squares = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))
        for inputs in windows:
            change, known = self.change(inputs)
            slot, d = inputs.sensor_slot, change.double()
            count.index_add_(0, slot, known.double().unsqueeze(1))
            total.index_add_(0, slot, d)
            squares.index_add_(0, slot, d.square())
        count.clamp_(min=1.0)
        variance = squares / count - (total / count).square()
        self.scale.copy_(variance.clamp(min=0.0).sqrt().clamp(min=_TINY))

    def _without_group(self, inputs: GraphInputs) -> GroupedInputs:
        unknown = torch.full((inputs.graph_id.shape[0],), -1)
        return GroupedInputs(self._scaled(inputs), unknown)

    def _scaled(self, inputs: GraphInputs) -> GraphInputs:
        """Return the batch with d, scaled, in place of the features: one step."""
        change, known = self.change(inputs)
        scaled = (change / self.scale[inputs.sensor_slot]).clamp(-_CLIP, _CLIP)
        return inputs._replace(
            sensor_features=scaled.unsqueeze(1), sensor_observed=known.unsqueeze(1)
        )


def _most_probable(rows: Tensor, offset: Tensor, target: Tensor) -> Tensor:
    """Return W [D, K] that minimises Σ −log p(target) + |W|² / 2 τ², with τ² = σ² / mean |z|².

    The search is among the combinations of the windows, where the solution lies.

    Args:
        rows: z [W, D].
        offset: Logits to which z W is added, [W, K].
        target: 1, 0, or NaN where unknown, [W, K].
    """
    z = rows.double()
    size = z.square().sum(1).mean()
    known = ~target.isnan()
    if size == 0 or not known.any():
        return torch.zeros(rows.shape[1], target.shape[1])
    left, values, right = torch.linalg.svd(z, full_matrices=False)
    axes, truth = left * values, target.nan_to_num(0.0).double()
    start = offset.nan_to_num(0.0).double()
    with torch.enable_grad():
        weight = torch.zeros(len(values), target.shape[1], dtype=z.dtype, requires_grad=True)
        search = torch.optim.LBFGS([weight], max_iter=_ROUNDS, line_search_fn="strong_wolfe")

        def improbability() -> Tensor:
            search.zero_grad()
            logit = start + axes @ weight
            misfit = F.binary_cross_entropy_with_logits(logit, truth, reduction="none")
            total = misfit[known].sum() + weight.square().sum() * size / (2 * _PRIOR**2)
            total.backward()  # type: ignore[no-untyped-call]
            return total

        search.step(improbability)  # type: ignore[no-untyped-call]
    found: Tensor = (right.T @ weight.detach()).float()
    return found
