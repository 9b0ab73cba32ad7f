"""Changes of a machine since it was healthy, arranged in the same way for all builds.

Shapes: S sensors, T steps, F features, L levels of the reference windows, N components, G graphs, R
roles (kind and port of a sensor on a family of components), W combinations of sensor kind and port.
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
"""The share of a sensor's span above which ratios count rather than differences."""
_INTERVAL = 0.025
"""The unit of interval scales (such as °C) as a share of the span: 5 K for a usual range."""
_CLIP = 5.0
_LEVELS = ("mean", "std", "min", "max")
"""The features by which the reference windows are read."""
_LEVEL_SCALE = 0.2
"""Brings a level near 1: ℓ of a whole span is 5.3."""
_SHAPES = ("skewness", "kurtosis")
"""The features without a unit; all others have the unit of their sensor, or its logarithm."""


class RoleRow(NamedTuple):
    """The rows of a machine and its components, arranged by role."""

    machine: Tensor
    """The mean over the sensors with each role, [G, R·(F + L)]; 0 without such sensors."""
    component: Tensor
    """The row of each component's own sensors, [N, W·(F + L)]."""
    family: Tensor
    """The number of each component's family, [N] int64."""


class RoleRows(nn.Module):
    """Arranges by role how the sensors differ from the machine's reference windows.

        d = ℓ(x) − ℓ(r),   ℓ(v) = sgn v · ln(1 + |v| / 0.005 span)

    x are the means of a window's features over the observed steps, and r those of the reference
    windows. Both are in the sensor's own unit, so features must not be normalised before
    (`normalise.method: none`). A change by a given percentage yields the same d on a machine with
    60 bar and on one with 300 bar. Values near zero are measured against the sensor's span. For
    temperatures d is a plain difference. d is whitened role by role (`SensorWhitening`). A sensor
    with a role that is not in the training data has no place in the row.

    With `levels`, mean, deviation, least and largest value of the reference windows, as far as they
    are among the features, stand beside d as ℓ(r). They say what is usual on this machine: whether
    a pump delivers its full flow, or how much of the pressure is left for an actuator.

    Args:
        spec: The description of the inputs.
        levels: Whether the row holds the levels of the reference windows, too.
        noise: The standard deviation of the normal noise added to d in training.

    Attributes:
        width: R·(F + L), with L = 0 without `levels`.
        own_width: W·(F + L).
        families: The number of families of components.
    """

    role_own: Tensor
    role_share: Tensor
    role_interval: Tensor
    kind_family: Tensor
    logarithm: Tensor
    shape: Tensor

    def __init__(self, spec: InputSpec, *, levels: bool, noise: float) -> None:
        super().__init__()
        self.noise = noise
        owns = _numbered([role.sensor for role in spec.sensor_roles])
        kinds = _numbered([family(kind) for kind in spec.component_kinds])
        self.roles, self.owns = len(spec.sensor_roles), len(set(owns))
        self.families, features = len(set(kinds)), len(spec.feature_names)
        names = [name for name in _LEVELS if levels and name in spec.feature_names]
        self.levels = [spec.feature_names.index(name) for name in names]
        each = features + len(self.levels)
        self.width, self.own_width = self.roles * each, self.owns * each
        interval = torch.tensor([role.interval for role in spec.sensor_roles])
        tables = {
            "role_own": torch.tensor(owns),
            "role_share": torch.where(interval, _INTERVAL, _SMALL),
            "role_interval": interval,
            "kind_family": torch.tensor(kinds),
            "logarithm": torch.tensor(["log" in name for name in spec.feature_names]),
            "shape": torch.tensor([name in _SHAPES for name in spec.feature_names]),
        }
        for name, table in tables.items():  # follow from the vocabulary: not stored
            self.register_buffer(name, table, persistent=False)
        self.whitening = SensorWhitening(self.roles, 1, features, per_step=False)

    def forward(self, inputs: GraphInputs) -> RoleRow:
        """Return the rows of a batch."""
        change, known = self._change(inputs)
        role = self._role(inputs)
        z = self.whitening(change, known, role).squeeze(1).clamp(-_CLIP, _CLIP)
        if self.training and self.noise:
            z = z + self.noise * torch.randn_like(z) * known
        if self.levels:
            z = torch.cat([z, self._usual(inputs) * known], dim=-1)
        graphs, components = inputs.graph_id.shape[0], inputs.component_kind.shape[0]
        place = rows_of(inputs, role, self.roles)
        count = segment_sum(known.to(z.dtype), place, graphs * self.roles).clamp(min=1.0)
        machine = segment_sum(z, place, graphs * self.roles) / count
        own_place = inputs.sensor_component * self.owns + self.role_own[role]
        own = segment_sum(z, own_place, components * self.owns)
        return RoleRow(
            machine.view(graphs, self.width),
            own.view(components, self.own_width),
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
        """Return d [S, 1, F] and whether it is known [S, 1] bool."""
        seen, reference_seen = inputs.sensor_observed, inputs.sensor_reference_mask
        x = _mean(inputs.sensor_features, seen)
        r = _mean(inputs.sensor_reference, reference_seen)
        has_role = inputs.sensor_role < self.roles
        known = (seen.any(dim=1) & reference_seen.any(dim=1) & has_role).unsqueeze(1)
        change = self._level(x, inputs) - self._level(r, inputs)
        return (change * known).unsqueeze(1), known

    def _usual(self, inputs: GraphInputs) -> Tensor:
        """Return the levels of the reference windows, [S, L]."""
        r = _mean(inputs.sensor_reference, inputs.sensor_reference_mask)
        return _LEVEL_SCALE * self._level(r, inputs)[:, self.levels]

    def _role(self, inputs: GraphInputs) -> Tensor:
        """Return each sensor's place in the row, [S]; arbitrary for sensors without a role."""
        return inputs.sensor_role.clamp(max=self.roles - 1)

    def _level(self, x: Tensor, inputs: GraphInputs) -> Tensor:
        """Return ℓ(x) [S, F]; logarithms are kept, and features without a unit have no span."""
        role = self._role(inputs)
        scaled = x / (self.role_share[role] * inputs.sensor_span).unsqueeze(1)
        level = torch.where(self.role_interval[role].unsqueeze(1), scaled, signed_log(scaled))
        level = torch.where(self.shape, signed_log(x), level)
        return torch.where(self.logarithm, x, level)


def _mean(values: Tensor, seen: Tensor) -> Tensor:
    """Return the mean over the observed steps: [S, T, F], [S, T] bool -> [S, F]."""
    total = (values * seen.unsqueeze(-1)).sum(1)
    return total / seen.sum(1, keepdim=True).clamp(min=1).to(values.dtype)


def _numbered(names: Sequence[object]) -> list[int]:
    """Return the number of each distinct name, in the order of first occurrence."""
    found: dict[object, int] = {}
    return [found.setdefault(name, len(found)) for name in names]
