"""What has changed on a machine since it was sound, arranged so that all builds read alike.

Shapes: S sensors, T steps, F features, N components, G graphs, R roles (kind and port of a sensor
on a family of components), W sensors' kinds and ports.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.features.levels import signed_log
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.sensor_roles import family
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.sensor_layout import rows_of
from hydrascope.models.blocks.sensor_whitening import SensorWhitening
from hydrascope.models.layers.segment import segment_sum

_SMALL = 0.005
"""Share of a sensor's span from which on ratios count rather than differences."""
_INTERVAL = 0.025
"""Share of the span that is one, for sensors whose zero is arbitrary: 5 K of a usual range."""
_CLIP = 5.0
_SHAPES = ("skewness", "kurtosis")
"""Features without a unit; all others are in that of their sensor, or its logarithm."""


class RoleRow(NamedTuple):
    """A machine and its components, by role."""

    machine: Tensor
    """[G, R·F]; the mean over the sensors that play a role, 0 where none does."""
    component: Tensor
    """[N, W·F]; of the component's own sensors."""
    family: Tensor
    """[N] int64; of the component."""


class RoleRows(nn.Module):
    """Lay out by roles how sensors differ from the machine's reference windows.

        d = ℓ(x) − ℓ(r),   ℓ(v) = sgn v · ln(1 + |v| / 0.005 span)

    x are a window's features, their means over the observed steps, and r those of the reference
    windows, in the sensor's own unit: so features must not be normalised before (`normalise.method:
    none`). What is changed by a share of its value gives the same d on a machine of 60 bar and on
    one of 300, and what hardly is above zero is measured against the sensor's span. Of
    temperatures plain differences are taken. d is whitened role by role (`SensorWhitening`). A
    sensor whose role nobody plays in training has no place in the row.

    Args:
        spec: Of the inputs.
        noise: Deviation of the normal noise added in training.

    Attributes:
        width: R·F.
        own_width: W·F.
        families: Of components, as many as there are.
    """

    role_own: Tensor
    role_share: Tensor
    role_interval: Tensor
    kind_family: Tensor
    logarithm: Tensor
    shape: Tensor

    def __init__(self, spec: InputSpec, *, noise: float) -> None:
        super().__init__()
        self.noise = noise
        owns = _numbered([role.sensor for role in spec.sensor_roles])
        kinds = _numbered([family(kind) for kind in spec.component_kinds])
        self.roles, self.owns = len(spec.sensor_roles), len(set(owns))
        self.families, features = len(set(kinds)), len(spec.feature_names)
        self.width, self.own_width = self.roles * features, self.owns * features
        interval = torch.tensor([role.interval for role in spec.sensor_roles])
        tables = {
            "role_own": torch.tensor(owns),
            "role_share": torch.where(interval, _INTERVAL, _SMALL),
            "role_interval": interval,
            "kind_family": torch.tensor(kinds),
            "logarithm": torch.tensor(["log" in name for name in spec.feature_names]),
            "shape": torch.tensor([name in _SHAPES for name in spec.feature_names]),
        }
        for name, table in tables.items():  # of the vocabulary, and so no part of what is stored
            self.register_buffer(name, table, persistent=False)
        self.whitening = SensorWhitening(self.roles, 1, features, per_step=False)

    def forward(self, inputs: GraphInputs) -> RoleRow:
        """Lay out a batch."""
        change, known = self._change(inputs)
        role, features = self._role(inputs), change.shape[-1]
        z = self.whitening(change, known, role).squeeze(1).clamp(-_CLIP, _CLIP)
        if self.training and self.noise:
            z = z + self.noise * torch.randn_like(z) * known
        graphs, components = inputs.graph_id.shape[0], inputs.component_kind.shape[0]
        place = rows_of(inputs, role, self.roles)
        count = segment_sum(known.to(z.dtype), place, graphs * self.roles).clamp(min=1.0)
        machine = segment_sum(z, place, graphs * self.roles) / count
        own_place = inputs.sensor_component * self.owns + self.role_own[role]
        own = segment_sum(z, own_place, components * self.owns)
        return RoleRow(
            machine.view(graphs, self.roles * features),
            own.view(components, self.owns * features),
            self.kind_family[inputs.component_kind],
        )

    def fit(self, windows: Callable[[], Iterable[GroupedInputs]]) -> None:
        """Fit the whitening of the roles to training windows."""
        self.whitening.fit(partial(self._read, windows))

    def _read(self, windows: Callable[[], Iterable[GroupedInputs]]) -> Iterator[GroupedInputs]:
        for inputs, group in windows():
            change, known = self._change(inputs)
            role = self._role(inputs)
            read = inputs._replace(sensor_features=change, sensor_observed=known, sensor_slot=role)
            yield GroupedInputs(read, group)

    def _change(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return d, [S, 1, F], and where it is known, [S, 1] bool."""
        seen, there = inputs.sensor_observed, inputs.sensor_reference_mask
        x = _mean(inputs.sensor_features, seen)
        r = _mean(inputs.sensor_reference, there)
        plays = inputs.sensor_role < self.roles
        known = (seen.any(dim=1) & there.any(dim=1) & plays).unsqueeze(1)
        change = self._level(x, inputs) - self._level(r, inputs)
        return (change * known).unsqueeze(1), known

    def _role(self, inputs: GraphInputs) -> Tensor:
        """Return a place in the row for each sensor, [S]; any one for those that have none."""
        return inputs.sensor_role.clamp(max=self.roles - 1)

    def _level(self, x: Tensor, inputs: GraphInputs) -> Tensor:
        """Return ℓ(x), [S, F]; logarithms stay, features without a unit have no span."""
        role = self._role(inputs)
        scaled = x / (self.role_share[role] * inputs.sensor_span).unsqueeze(1)
        level = torch.where(self.role_interval[role].unsqueeze(1), scaled, signed_log(scaled))
        level = torch.where(self.shape, signed_log(x), level)
        return torch.where(self.logarithm, x, level)


def _mean(values: Tensor, seen: Tensor) -> Tensor:
    """Return means over the steps that are seen, [S, T, F], [S, T] -> [S, F]."""
    total = (values * seen.unsqueeze(-1)).sum(1)
    return total / seen.sum(1, keepdim=True).clamp(min=1).to(values.dtype)


def _numbered(names: Sequence[object]) -> list[int]:
    """Return the number of each name, in the order of their first."""
    found: dict[object, int] = {}
    return [found.setdefault(name, len(found)) for name in names]
