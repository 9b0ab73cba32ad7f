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
    temperatures plain differences are taken. d is whitened role by role (`SensorWhitening`).

    Args:
        spec: Of the inputs.
        noise: Deviation of the normal noise added in training.

    Attributes:
        width: R·F.
        own_width: W·F.
        families: Of components, as many as there are.
    """

    slot_role: Tensor
    slot_own: Tensor
    slot_scale: Tensor
    slot_interval: Tensor
    kind_family: Tensor
    logarithm: Tensor
    shape: Tensor

    def __init__(self, spec: InputSpec, *, noise: float) -> None:
        super().__init__()
        self.noise = noise
        roles = _numbered([(role.family, role.sensor) for role in spec.slot_roles])
        owns = _numbered([role.sensor for role in spec.slot_roles])
        kinds = _numbered([family(kind) for kind in spec.component_kinds])
        self.roles, self.owns = len(set(roles)), len(set(owns))
        self.families, features = len(set(kinds)), len(spec.feature_names)
        self.width, self.own_width = self.roles * features, self.owns * features
        share = [_INTERVAL if role.interval else _SMALL for role in spec.slot_roles]
        spans = [role.span for role in spec.slot_roles]
        tables = {
            "slot_role": torch.tensor(roles),
            "slot_own": torch.tensor(owns),
            "slot_scale": torch.tensor(share) * torch.tensor(spans),
            "slot_interval": torch.tensor([role.interval for role in spec.slot_roles]),
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
        slot, features = inputs.sensor_slot, change.shape[-1]
        z = self.whitening(change, known, self.slot_role[slot]).squeeze(1).clamp(-_CLIP, _CLIP)
        if self.training and self.noise:
            z = z + self.noise * torch.randn_like(z) * known
        graphs, components = inputs.graph_id.shape[0], inputs.component_kind.shape[0]
        graph = inputs.component_graph.index_select(0, inputs.sensor_component)
        place = graph * self.roles + self.slot_role[slot]
        count = segment_sum(known.to(z.dtype), place, graphs * self.roles).clamp(min=1.0)
        machine = segment_sum(z, place, graphs * self.roles) / count
        own_place = inputs.sensor_component * self.owns + self.slot_own[slot]
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
            slot = self.slot_role[inputs.sensor_slot]
            read = inputs._replace(sensor_features=change, sensor_observed=known, sensor_slot=slot)
            yield GroupedInputs(read, group)

    def _change(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return d, [S, 1, F], and where it is known, [S, 1] bool."""
        seen, there = inputs.sensor_observed, inputs.sensor_reference_mask
        x = _mean(inputs.sensor_features, seen)
        r = _mean(inputs.sensor_reference, there)
        known = (seen.any(dim=1) & there.any(dim=1)).unsqueeze(1)
        change = self._level(x, inputs.sensor_slot) - self._level(r, inputs.sensor_slot)
        return (change * known).unsqueeze(1), known

    def _level(self, x: Tensor, slot: Tensor) -> Tensor:
        """Return ℓ(x), [S, F]; logarithms stay, features without a unit have no span."""
        scaled = x / self.slot_scale[slot].unsqueeze(1)
        level = torch.where(self.slot_interval[slot].unsqueeze(1), scaled, signed_log(scaled))
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
