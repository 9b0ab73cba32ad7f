"""Whether a machine is asked to do something that no learned window shows.

Shapes: G graphs, S sensors in the batch, T steps, B builds, K windows that stand for a build's, P
covariates of the build that has most, C values of a covariate.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_layout import build_of, lay_out, sensor_graph
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.kinds import SensorKind

KEPT = 256
"""The most learned windows of a build that its operating points are compared with."""
_COMMANDS = SensorKind.CONTROL_SIGNAL
_FEATURES = ("mean", "std", "min", "max")


class OperatingPoints(nn.Module):
    """Compares what a machine is asked to do with what was learned.

    Covariates are sensors that show what is asked: commands, set-points, the temperature of the
    surroundings. A window's operating point is the mean, deviation, minimum and maximum of each
    (or, without these features, all of them), averaged over the steps, in standard deviations of
    the learned windows. Its distance is the root mean square to the nearest learned window. The
    score is the distance as a share of a conformal quantile of held-out windows; above 1 the point
    is new. It is NaN without covariates, and for a build that was not learned.

    Args:
        spec: The description of the inputs.
        slots: Rows of `spec.sensor_slots` that are covariates.
    """

    place: Tensor
    build: Tensor
    count: Tensor
    """The number of covariates of each build, [B]."""
    scale: Tensor
    """[B, P, C]; 1 where a value did not vary."""
    kept: Tensor
    """[B, K, P, C]; infinite where fewer windows were learned."""
    limit: Tensor
    """[B]; NaN for a build without limit."""

    def __init__(self, spec: InputSpec, slots: Sequence[int]) -> None:
        super().__init__()
        names, known = spec.feature_names, set(slots)
        chosen = [names.index(name) for name in _FEATURES if name in names]
        self.chosen = chosen or list(range(len(names)))
        place = torch.full((len(spec.sensor_slots) + 1,), -1)  # the last is an unknown build's
        build, count = torch.full_like(place, -1), []
        for number, own in enumerate(spec.builds.values()):
            covariates = [slot for slot in own if slot in known]
            place[covariates] = torch.arange(len(covariates))
            count.append(len(covariates))
            build[own] = number
        self.places, builds = int(place.max()) + 1, len(spec.builds)
        # They follow from the vocabulary, so they are not stored.
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("build", build, persistent=False)
        self.register_buffer("count", torch.tensor(count), persistent=False)
        shape = self.places, len(self.chosen)
        self.register_buffer("scale", torch.ones(builds, *shape))
        self.register_buffer("kept", torch.full((builds, KEPT, *shape), torch.inf))
        self.register_buffer("limit", torch.full((builds,), torch.nan))

    def points(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return the raw covariates of each graph, [G, P, C], and which are observed, [G, P]."""
        place, graphs = self.place[inputs.sensor_slot], inputs.graph_id.shape[0]
        # Other sensors add to a place past the end.
        row = sensor_graph(inputs) * (self.places + 1)
        row = row + torch.where(place >= 0, place, self.places)
        seen = inputs.sensor_observed
        value = inputs.sensor_features[..., self.chosen].masked_fill(~seen.unsqueeze(-1), 0.0)
        mean = value.sum(1) / seen.sum(1).clamp(min=1).unsqueeze(-1)
        at = row, graphs, self.places + 1
        observed = lay_out(seen.any(1).long(), *at)[:, :-1] > 0
        return lay_out(mean, *at)[:, :-1], observed

    def build_of(self, inputs: GraphInputs) -> Tensor:
        """Return the number of each graph's build, [G] int64; −1 for an unknown one."""
        return build_of(inputs, self.build)

    @torch.no_grad()
    def adopt(self, build: int, points: Tensor) -> None:
        """Take learned windows of a build, [n, P, C]; at most `KEPT` of them are kept."""
        deviation = points.std(0, correction=0)
        self.scale[build] = torch.where(deviation > 0, deviation, 1.0)
        some = torch.linspace(0, len(points) - 1, min(KEPT, len(points))).round().long()
        self.kept[build] = torch.inf
        self.kept[build, : len(some)] = points[some]

    def distance(self, inputs: GraphInputs) -> Tensor:
        """Return the distance of each graph to the nearest learned window, [G]; NaN: unknown."""
        value, observed = self.points(inputs)
        build = self.build_of(inputs)
        known = build.clamp(min=0)
        apart = (value.unsqueeze(1) - self.kept[known]) / self.scale[known].unsqueeze(1)
        counted = observed.sum(1)
        square = apart.square().mean(-1).masked_fill(~observed.unsqueeze(1), 0.0).sum(-1).amin(1)
        distance = (square / counted.clamp(min=1)).sqrt()
        there = (build >= 0) & (counted > 0) & distance.isfinite()
        return torch.where(there, distance, torch.nan)

    def forward(self, inputs: GraphInputs) -> Tensor:
        """Return the distance of each graph as a share of the limit, [G]."""
        return self.distance(inputs) / self.limit[self.build_of(inputs).clamp(min=0)]


def covariates(spec: InputSpec, names: Sequence[str] | None) -> list[int]:
    """Return the slots of the sensors that show what is asked of a machine.

    Args:
        spec: The description of the inputs.
        names: Of sensors; None: those of kind control_signal.

    Raises:
        SpecError: A build has no such sensor.
    """
    if names is None:
        return [slot for slot, kind in enumerate(spec.slot_kinds) if kind == _COMMANDS]
    found = []
    for build, slots in spec.builds.items():
        for name in names:
            slot = spec.slot(build, name)
            if slot == len(spec.sensor_slots):
                known = ", ".join(spec.sensor_slots[each].rpartition("/")[2] for each in slots)
                raise SpecError(
                    f"{name!r} is no sensor of build {build!r}; accepted: {known}",
                    path="task.normality.operating_point",
                )
            found.append(slot)
    return found
