"""All that the sensors of a machine of a known build say, as one whitened row.

Shapes: S sensors, T steps, F features, G graphs, B builds, P places of sensors of all builds, D
numbers of a row: F of each sensor of the build that has most.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import GroupedInputs
from hydrascope.models.layers.build_linear import by_build

_SWEEPS = 2
"""Of the completion; one is exact where a single sensor is missing."""
_SHRINKAGE = 0.03
"""Added to every variance of normalised features, so that what hardly varies is not blown up."""


class MachineRows(nn.Module):
    """Lay the sensors of each machine out in a row, and whiten the row.

        z = (x − r − μ) (Σ + λ I)^(−½) / s

    x are the normalised features, their mean over the observed steps; r those of the machine's
    reference windows, where there are any; μ and Σ mean and covariance over the training windows of
    the build; s brings the mean square to 1. Unlike `SensorWhitening` it decorrelates sensors from
    each other: what the setting, the load or the weather does to all of them at once stands back,
    and what does not fit together stands out. A sensor that is missing is taken to be what the
    others let expect, the mean of a normal distribution given them, because at its own mean it
    would fit together with nothing: sweeps of block Jacobi, each sensor a block,
    x_s ← x_s − P_ss⁻¹ (P x)_s with P = (Σ + λ I)⁻¹.

    It has buffers only, fitted to the training windows before any gradient.

    Args:
        spec: Of the inputs: which sensor stands where.
        references: Whether r is taken away.
        noise: Deviation of the normal noise added in training.
    """

    slot_build: Tensor
    slot_place: Tensor
    center: Tensor
    mixing: Tensor
    filling: Tensor

    def __init__(self, spec: InputSpec, *, references: bool, noise: float) -> None:
        super().__init__()
        self.references, self.noise = references, noise
        features, builds = len(spec.feature_names), spec.builds
        self.places = max((len(slots) for slots in builds.values()), default=0)
        self.width = self.places * features
        build, place = torch.zeros(2, len(spec.sensor_slots), dtype=torch.int64)
        for number, slots in enumerate(builds.values()):
            build[slots], place[slots] = number, torch.arange(len(slots))
        # Of the vocabulary, and so no part of what is stored.
        self.register_buffer("slot_build", build, persistent=False)
        self.register_buffer("slot_place", place, persistent=False)
        self.register_buffer("center", torch.zeros(len(spec.sensor_slots), features))
        identity = torch.eye(self.width).expand(len(builds), self.width, self.width)
        self.register_buffer("mixing", identity.clone())
        own = torch.eye(features).expand(len(spec.sensor_slots), features, features)
        self.register_buffer("filling", own.clone())

    def forward(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return rows [G, D], and the builds of their machines, [G, B] of zeros and a one."""
        rows, build = self._rows(inputs)
        rows = self._complete(rows, build, inputs)
        z = by_build(rows, build, self.mixing)
        if self.training and self.noise:
            z = z + self.noise * torch.randn_like(z)
        return z, build

    def _complete(self, rows: Tensor, build: Tensor, inputs: GraphInputs) -> Tensor:
        """Fill in what is missing of rows [G, D] by what the others let expect."""
        graph, slot = _graph_of_sensor(inputs), inputs.sensor_slot
        at = graph * self.places + self.slot_place[slot]
        missing = ~inputs.sensor_observed.any(dim=1).unsqueeze(1)
        for _ in range(_SWEEPS):
            strain = by_build(by_build(rows, build, self.mixing), build, self.mixing)
            own = strain.view(-1, self.center.shape[1]).index_select(0, at).unsqueeze(1)
            step = torch.bmm(own, self.filling[slot]).squeeze(1) * missing
            flat = rows.reshape(-1, self.center.shape[1])
            rows = flat.index_add(0, at, -step).view_as(rows)
        return rows

    def _rows(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return x − r − μ in rows, and the builds."""
        graphs, slot = inputs.graph_id.shape[0], inputs.sensor_slot
        graph = _graph_of_sensor(inputs)
        seen = inputs.sensor_observed.unsqueeze(-1)
        x = inputs.sensor_features
        if self.references:
            x = x - inputs.sensor_reference
        mean = (x * seen).sum(1) / seen.sum(1).clamp(min=1)
        known = inputs.sensor_observed.any(dim=1).unsqueeze(1)
        mean = (mean - self.center[slot]) * known
        empty = mean.new_zeros((graphs * self.places, mean.shape[1]))
        laid = empty.index_copy(0, graph * self.places + self.slot_place[slot], mean)
        build = mean.new_zeros((graphs, self.mixing.shape[0]))
        build = build.index_put((graph, self.slot_build[slot]), mean.new_ones(()))
        return laid.view(graphs, self.width), build

    @torch.no_grad()
    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit to training windows, which are read twice; memory is flat in their number."""
        total = torch.zeros(self.center.shape, dtype=torch.float64)
        count = torch.zeros(len(self.center), 1, dtype=torch.float64)
        self.center.zero_()
        for inputs, _ in windows():
            slot, seen = inputs.sensor_slot, inputs.sensor_observed.any(dim=1).double()
            rows, _ = self._rows(inputs)
            each = rows.view(len(rows), self.places, -1)[
                _graph_of_sensor(inputs), self.slot_place[slot]
            ]
            total.index_add_(0, slot, each.double() * seen.unsqueeze(1))
            count.index_add_(0, slot, seen.unsqueeze(1))
        self.center.copy_(total / count.clamp(min=1.0))
        products = torch.zeros(self.mixing.shape, dtype=torch.float64)
        of_build = torch.zeros(len(products), dtype=torch.float64)
        for inputs, _ in windows():
            rows, build = (each.double() for each in self._rows(inputs))
            of_build += build.sum(0)
            for number in build.any(0).nonzero().flatten().tolist():
                mine = rows[build[:, number] > 0]
                products[number] += mine.T @ mine
        for number, windows_of in enumerate(of_build.tolist()):
            if windows_of:
                mixing = _whitening(products[number] / windows_of)
                self.mixing[number] = mixing
                mine = self.slot_build == number
                blocks = self._blocks(mixing @ mixing)[self.slot_place[mine]]
                self.filling[mine] = blocks.to(self.filling)

    def _blocks(self, precision: Tensor) -> Tensor:
        """Return P_ss⁻¹ of each sensor of a build, [places, F, F]; of features that vary."""
        features = self.center.shape[1]
        apart = precision.view(self.places, features, self.places, features)
        own = apart.diagonal(dim1=0, dim2=2).permute(2, 0, 1)
        inverse: Tensor = torch.linalg.pinv(own, hermitian=True)
        return inverse


def _graph_of_sensor(inputs: GraphInputs) -> Tensor:
    return inputs.component_graph.index_select(0, inputs.sensor_component)


def _whitening(covariance: Tensor) -> Tensor:
    """Return (Σ + λ I)^(−½) / s, [D, D]; 0 where nothing varies, such as behind a shorter row."""
    varies = (covariance.diagonal() > 0).to(covariance)
    identity = torch.eye(len(covariance), dtype=covariance.dtype)
    values, vectors = torch.linalg.eigh(covariance + _SHRINKAGE * identity)
    root = (vectors * values.clamp(min=_SHRINKAGE).rsqrt()) @ vectors.T * varies
    square = (root.T @ covariance @ root).diagonal().sum() / varies.sum().clamp(min=1.0)
    whitening: Tensor = root / square.sqrt() if square > 0 else root
    return whitening
