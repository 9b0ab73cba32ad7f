"""Changes of a machine since it was healthy, arranged in the same way for all builds.

Shapes: S sensors, T steps, F features, L levels of the reference windows, N components, G graphs, R
roles (kind and port of a sensor on a family of components), W combinations of sensor kind and port.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.sensor_roles import family
from hydrascope.models.base import GroupedInputs
from hydrascope.models.blocks.sensor_change import SensorChange
from hydrascope.models.blocks.sensor_layout import rows_of
from hydrascope.models.blocks.sensor_whitening import SensorWhitening
from hydrascope.models.layers.segment import segment_sum

_CLIP = 5.0
_LEVELS = ("mean", "std", "min", "max")
"""The features by which the reference windows are read."""
_LEVEL_SCALE = 0.2
"""Brings a level near 1: ℓ of a whole span is 5.3."""


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

    The difference d of each sensor (`SensorChange`) is whitened role by role (`SensorWhitening`). A
    sensor with a role that is not in the training data has no place in the row.

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
    kind_family: Tensor

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
        # They follow from the vocabulary, so they are not stored.
        self.register_buffer("role_own", torch.tensor(owns), persistent=False)
        self.register_buffer("kind_family", torch.tensor(kinds), persistent=False)
        self.change = SensorChange(spec)
        self.whitening = SensorWhitening(self.roles, 1, features, per_step=False)

    def forward(self, inputs: GraphInputs) -> RoleRow:
        """Return the rows of a batch."""
        change, known = self._change(inputs)
        role = self._role(inputs)
        z = self.whitening(change, known, role).squeeze(1).clamp(-_CLIP, _CLIP)
        if self.training and self.noise:
            z = z + self.noise * torch.randn_like(z) * known
        if self.levels:
            usual = _LEVEL_SCALE * self.change.reference(inputs)[:, self.levels]
            z = torch.cat([z, usual * known], dim=-1)
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
        change, known = self.change(inputs)
        known = known & (inputs.sensor_role < self.roles)
        return (change * known.unsqueeze(1)).unsqueeze(1), known.unsqueeze(1)

    def _role(self, inputs: GraphInputs) -> Tensor:
        """Return each sensor's place in the row, [S]; arbitrary for sensors without a role."""
        return inputs.sensor_role.clamp(max=self.roles - 1)


def _numbered(names: Sequence[object]) -> list[int]:
    """Return the number of each distinct name, in the order of first occurrence."""
    found: dict[object, int] = {}
    return [found.setdefault(name, len(found)) for name in names]
