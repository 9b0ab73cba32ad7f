"""A short summary of each sensor's window, from which its plausibility is judged.

Shapes: G graphs, S sensors in the batch, P places of the sensors of the largest build, T steps,
F features, C summary features, J groups of steps, V = J C values of a sensor.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_layout import build_of, build_places, lay_out, rows_of

_FEATURES = ("mean", "std", "min", "max")
_LEVELS = ("mean", "min", "max")
_GROUPS = 10
"""The most groups of steps; of more steps, neighbours are averaged."""
_WIDTH, _ENTRIES = 700, 8_000_000
"""The most values of a build, D, and the most entries of all builds' matrices. With more sensors or
builds, there are fewer groups and then fewer features."""


class Summaries(NamedTuple):
    """The summaries of a batch of graphs."""

    value: Tensor
    """[G, P, V] in the sensors' units; 0 where nothing was observed."""
    known: Tensor
    """[G, P, V] bool; False in groups of steps without an observation."""
    spread: Tensor
    """[G, P]; the largest minus the smallest level within the window."""
    groups: int
    """J."""
    has_mean: bool
    """Whether the first of the C features is the mean."""

    @property
    def observed(self) -> Tensor:
        """Whether the sensor was observed at all, [G, P] bool."""
        return self.known.any(-1)

    def rows(self, graphs: Tensor) -> "Summaries":
        """Return the summaries of some graphs."""
        return Summaries(
            self.value[graphs], self.known[graphs], self.spread[graphs], self.groups, self.has_mean
        )

    def shifted(self, groups: int) -> tuple[Tensor, Tensor]:
        """Return `value` and `known` as if the window had started `groups` groups earlier.

        The window is taken for one load cycle, so what is shifted out comes in at the start.
        """
        value, known = (
            torch.unflatten(each, 2, (self.groups, -1)).roll(groups, 2).flatten(2)
            for each in (self.value, self.known)
        )
        return value, known

    def level(self, values: Tensor) -> Tensor:
        """Return the mean level over the groups, [..., V] -> [...]; NaN if it is not known."""
        if not self.has_mean:
            return values.new_full(values.shape[:-1], torch.nan)
        return torch.unflatten(values, -1, (self.groups, -1))[..., 0].mean(-1)


class WindowSummary(nn.Module):
    """Summarises sensors by mean, standard deviation, minimum and maximum of groups of steps.

    Without these features it takes the first four there are.

    Args:
        spec: The description of the inputs.

    Attributes:
        places: P.
        size: V.
        builds: The number of builds that can be judged; 0 if they have too many sensors.
    """

    build: Tensor
    place: Tensor
    chosen: Tensor
    level: Tensor
    group: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        names = spec.feature_names
        chosen = [names.index(name) for name in _FEATURES if name in names]
        chosen = chosen or list(range(min(len(names), len(_FEATURES))))
        self.has_mean = bool(chosen) and names[chosen[0]] == _FEATURES[0]
        build, place, places = build_places(spec)
        self.places = max(1, places)  # one if no build is known
        # The most values of a sensor for which the matrices of all builds stay small.
        width = min(_WIDTH, math.isqrt(_ENTRIES // max(1, len(spec.builds))))
        most = width // self.places
        if not most:
            build = torch.full_like(build, -1)
        chosen = chosen[: max(1, most)]
        self.builds = len(spec.builds) if most else 0
        self.groups = max(1, min(spec.steps, _GROUPS, most // max(1, len(chosen))))
        self.features, self.size = len(chosen), len(chosen) * self.groups
        # All follow from the vocabulary, so they are not stored. The last slot is the unknown one.
        self.register_buffer("build", F.pad(build, (0, 1), value=-1), persistent=False)
        self.register_buffer("place", F.pad(place, (0, 1)), persistent=False)
        level = [number for number in chosen if names[number] in _LEVELS] or chosen[:1]
        self.register_buffer("level", torch.tensor(level, dtype=torch.int64), persistent=False)
        self.register_buffer("chosen", torch.tensor(chosen, dtype=torch.int64), persistent=False)
        group = torch.arange(spec.steps) * self.groups // spec.steps
        self.register_buffer("group", group, persistent=False)

    def forward(self, inputs: GraphInputs) -> Summaries:
        """Summarise raw features of machines of known builds."""
        value = inputs.sensor_features[..., self.chosen]
        observed = inputs.sensor_observed.unsqueeze(-1)
        sums = value.new_zeros(len(value), self.groups, self.features)
        count = sums[..., :1].clone()
        sums.index_add_(1, self.group, value.masked_fill(~observed, 0.0))
        count.index_add_(1, self.group, observed.to(value.dtype))
        pooled = (sums / count.clamp(min=1.0)).flatten(1)
        known = (count > 0).expand(-1, -1, self.features).flatten(1)
        level = inputs.sensor_features[..., self.level]
        high = level.masked_fill(~observed, -torch.inf).flatten(1).amax(1)
        low = level.masked_fill(~observed, torch.inf).flatten(1).amin(1)
        spread = torch.where(observed.any(1).squeeze(1), high - low, 0.0)
        at = self.row(inputs), len(inputs.graph_id), self.places
        return Summaries(
            lay_out(pooled, *at),
            lay_out(known.long(), *at) > 0,
            lay_out(spread, *at),
            self.groups,
            self.has_mean,
        )

    def row(self, inputs: GraphInputs) -> Tensor:
        """Return each sensor's row among the places of all graphs, [S] int64."""
        return rows_of(inputs, self.place[inputs.sensor_slot], self.places)

    def build_of(self, inputs: GraphInputs) -> Tensor:
        """Return the number of each graph's build, [G] int64; −1 for an unknown build."""
        return build_of(inputs, self.build)
