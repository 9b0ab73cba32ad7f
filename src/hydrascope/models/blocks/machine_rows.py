"""All sensors of a machine of a known build as one whitened row.

Shapes: S sensors, T steps, F features, G graphs, B builds, P places of the largest build, V values
of a sensor, D = P V values of a row.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.sensor_layout import build_places, lay_out, rows_of, sensor_graph
from hydrascope.models.layers.build_linear import by_build
from hydrascope.schemas.errors import SpecError

_SWEEPS = 2
"""The sweeps of the imputation; one is exact if a single sensor is missing."""
_SHRINKAGE = 0.03
"""The usual λ, added to every variance, so that features that hardly vary are not magnified."""


class MachineRows(nn.Module):
    """Arranges the sensors of each machine in a row and whitens the row.

        z = (x − r − μ) (Σ_w + λ I)^(−½) / s

    - x: the normalised features, either their mean over the observed steps (V = F) or those of each
      step (V = T F). An unobserved step is set to the mean of the observed ones.
    - r: the features of the machine's reference windows, if it has any.
    - μ, Σ: mean and covariance over the training windows of the build.
    - Σ_w: the covariance within conditions, as in a linear discriminant. It is Σ if no condition is
      known.
    - s: scales the mean square over all training windows to 1.

    Unlike `SensorWhitening` it decorrelates sensors from each other. Common effects of setting,
    load or weather on all sensors become small, and inconsistencies between sensors stand out.

    A missing sensor is set to its conditional mean given the others, under a normal distribution.
    Its own mean would be inconsistent with the others. The solver is block Jacobi with one block
    per sensor: x_s ← x_s − P_ss⁻¹ (P x)_s with P = (Σ + λ I)⁻¹.

    The module has only buffers. They are fitted to the training windows before the training.

    Args:
        spec: The description of the inputs, with the place of each sensor.
        features: The names of the features to read; None for all.
        per_step: Whether each step has its own values. Suits windows aligned with a load cycle.
        references: Whether r is subtracted.
        noise: The standard deviation of the normal noise added in training.
        shrinkage: λ.
    """

    slot_build: Tensor
    slot_place: Tensor
    chosen: Tensor
    center: Tensor
    mixing: Tensor
    precision: Tensor
    filling: Tensor

    def __init__(
        self,
        spec: InputSpec,
        *,
        features: Sequence[str] | None,
        per_step: bool,
        references: bool,
        noise: float,
        shrinkage: float = _SHRINKAGE,
    ) -> None:
        super().__init__()
        self.per_step, self.references, self.noise = per_step, references, noise
        self.shrinkage = shrinkage
        chosen, builds = _places_of(features, spec.feature_names), len(spec.builds)
        self.size = len(chosen) * (spec.steps if per_step else 1)
        build, place, self.places = build_places(spec)
        self.width = self.places * self.size
        # Follows from the vocabulary, so it is not stored.
        self.register_buffer("slot_build", build, persistent=False)
        self.register_buffer("slot_place", place, persistent=False)
        self.register_buffer("chosen", torch.tensor(chosen), persistent=False)
        self.register_buffer("center", torch.zeros(len(spec.sensor_slots), self.size))
        identity = torch.eye(self.width).expand(builds, self.width, self.width)
        self.register_buffer("mixing", identity.clone())
        self.register_buffer("precision", identity.clone())
        own = torch.eye(self.size).expand(len(spec.sensor_slots), self.size, self.size)
        self.register_buffer("filling", own.clone())

    def forward(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return rows [G, D] and the builds of their machines, one-hot [G, B]."""
        rows, build = self._rows(inputs)
        rows = self._fill_missing(rows, build, inputs)
        z = by_build(rows, build, self.mixing)
        if self.training and self.noise:
            z = z + self.noise * torch.randn_like(z)
        return z, build

    def _fill_missing(self, rows: Tensor, build: Tensor, inputs: GraphInputs) -> Tensor:
        """Impute missing sensors in rows [G, D] from the others."""
        slot = inputs.sensor_slot
        at = rows_of(inputs, self.slot_place[slot], self.places)
        missing = ~inputs.sensor_observed.any(dim=1).unsqueeze(1)
        if not torch.compiler.is_compiling() and not bool(missing.any()):
            return rows  # the same result, faster
        for _ in range(_SWEEPS):
            strain = by_build(rows, build, self.precision)
            own = strain.view(-1, self.size).index_select(0, at).unsqueeze(1)
            step = torch.bmm(own, self.filling[slot]).squeeze(1) * missing
            flat = rows.reshape(-1, self.size)
            rows = flat.index_add(0, at, -step).view_as(rows)
        return rows

    def _rows(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return the rows x − r − μ [G, D] and the builds, one-hot [G, B]."""
        graphs, slot = inputs.graph_id.shape[0], inputs.sensor_slot
        graph, at = sensor_graph(inputs), rows_of(inputs, self.slot_place[slot], self.places)
        known = inputs.sensor_observed.any(dim=1).unsqueeze(1)
        own = (self._values(inputs) - self.center[slot]) * known
        build = own.new_zeros((graphs, self.mixing.shape[0]))
        build = build.index_put((graph, self.slot_build[slot]), own.new_ones(()))
        return lay_out(own, at, graphs, self.places).view(graphs, self.width), build

    def _values(self, inputs: GraphInputs) -> Tensor:
        """Return x − r of each sensor, [S, V]."""
        seen = inputs.sensor_observed.unsqueeze(-1)
        x = inputs.sensor_features
        if self.references:
            x = x - inputs.sensor_reference
        x = x.index_select(-1, self.chosen)
        mean = (x * seen).sum(1) / seen.sum(1).clamp(min=1)
        if not self.per_step:
            return mean
        return torch.where(seen, x, mean.unsqueeze(1)).flatten(1)

    @torch.no_grad()
    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit to training windows in two passes; memory does not grow with their number."""
        total = torch.zeros(self.center.shape, dtype=torch.float64)
        count = torch.zeros(len(self.center), 1, dtype=torch.float64)
        groups = 0
        self.center.zero_()
        for inputs, group in windows():
            slot, seen = inputs.sensor_slot, inputs.sensor_observed.any(dim=1).double()
            total.index_add_(0, slot, self._values(inputs).double() * seen.unsqueeze(1))
            count.index_add_(0, slot, seen.unsqueeze(1))
            groups = max(groups, int(group.max()) + 1)
        self.center.copy_(total / count.clamp(min=1.0))
        covariances = _Covariances(len(self.mixing), self.width, groups)
        for inputs, group in windows():
            covariances.update(*self._rows(inputs), group)
        for number in covariances.builds():
            both = covariances.within(number), covariances.total(number)
            mixing, precision = _whitening(*both, self.shrinkage)
            self.mixing[number], self.precision[number] = mixing, precision
            slots = self.slot_build == number
            blocks = self._blocks(precision)[self.slot_place[slots]]
            self.filling[slots] = blocks.to(self.filling)

    def _blocks(self, precision: Tensor) -> Tensor:
        """Return the pseudo-inverse P_ss⁻¹ of each sensor of a build, [P, V, V]."""
        blocks = precision.view(self.places, self.size, self.places, self.size)
        own = blocks.diagonal(dim1=0, dim2=2).permute(2, 0, 1)
        inverse: Tensor = torch.linalg.pinv(own, hermitian=True)
        return inverse


def _places_of(features: Sequence[str] | None, names: Sequence[str]) -> list[int]:
    """Return the positions of the features with these names; None for all.

    Raises:
        SpecError: A name is unknown.
    """
    if features is None:
        return list(range(len(names)))
    if unknown := [name for name in features if name not in names]:
        raise SpecError(
            f"model.row_features: {unknown[0]!r} is not a feature of a sensor; accepted: null, or "
            f"names of {', '.join(names)}"
        )
    return [names.index(name) for name in features]


class _Covariances:
    """Running covariances of centred rows by build, over all rows and within groups."""

    def __init__(self, builds: int, width: int, groups: int) -> None:
        self._known = groups
        self._products = torch.zeros(builds, width, width, dtype=torch.float64)
        # Windows of unknown groups form one more group of their build.
        self._sum = torch.zeros(groups + builds, width, dtype=torch.float64)
        self._count = torch.zeros(groups + builds, dtype=torch.float64)
        self._build = torch.full((groups + builds,), -1)

    def update(self, rows: Tensor, build: Tensor, group: Tensor) -> None:
        """Add rows [G, D] with their builds [G, B] and groups [G]."""
        rows, number = rows.double(), build.argmax(1)
        group = torch.where(group < 0, self._known + number, group)
        for each in torch.unique(number).tolist():
            selected = rows[number == each]
            self._products[each] += selected.T @ selected
        self._sum.index_add_(0, group, rows)
        self._count.index_add_(0, group, torch.ones(len(group), dtype=torch.float64))
        self._build[group] = number

    def builds(self) -> list[int]:
        """Return the numbers of the builds that had rows."""
        found: list[int] = torch.unique(self._build[self._build >= 0]).tolist()
        return found

    def total(self, build: int) -> Tensor:
        """Return the covariance of a build, [D, D]."""
        return self._products[build] / self._count[self._build == build].sum()

    def within(self, build: int) -> Tensor:
        """Return the covariance about the means of the groups, [D, D]."""
        groups = self._build == build
        count = self._count[groups].unsqueeze(1)
        between = self._sum[groups].T @ (self._sum[groups] / count)
        return (self._products[build] - between) / count.sum()


def _whitening(within: Tensor, total: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """Return (Σ_w + λ I)^(−½) / s and (Σ + λ I)⁻¹, [D, D].

    Both are 0 for values that do not vary, such as the unused places of a smaller build.
    """
    varies = (total.diagonal() > 0).to(total)
    shrinkage = least * torch.eye(len(total), dtype=total.dtype)
    values, vectors = torch.linalg.eigh(within + shrinkage)
    root = (vectors * values.clamp(min=least).rsqrt()) @ vectors.T * varies
    square = (root.T @ total @ root).diagonal().sum() / varies.sum().clamp(min=1.0)
    precision = torch.linalg.inv(total + shrinkage) * varies * varies.unsqueeze(1)
    return (root / square.sqrt() if square > 0 else root), precision
