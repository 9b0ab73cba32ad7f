"""Scores of normality from whitened forecast residuals: of sensors, components and machines."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.blocks.sensor_forecast import SensorForecast, SensorResidual
from hydrascope.models.blocks.sensor_layout import build_places, lay_out, rows_of, sensor_graph
from hydrascope.models.layers.segment import segment_max, segment_sum
from hydrascope.models.scored_windows import ScoresByLevel
from hydrascope.models.whitening import FeatureMoments, Whitening
from hydrascope.schemas.normality import COMPONENT, MACHINE, SENSOR

_CONJUGATE_STEPS = 16
"""The iterations of conjugate gradients that impute missing sensors."""


class Normality(nn.Module):
    """Scores windows by the residuals of a forecast that was learned on healthy windows.

    For a machine at one step, with z the normalised features of all its sensors:

        x = W z             W = Σ_z^(−1/2), with Σ_z from healthy windows: the part of each sensor
                            that the machine's other sensors do not explain
        r = x − forecast    from the earlier steps (`SensorForecast`)
        r = level + change  level: mean over the window's observed steps; change: the rest

    |x|² is the squared Mahalanobis distance of a step. The symmetric root splits it into the
    shares of the sensors (P. H. Garthwaite, I. Koch, "Evaluating the contributions of individual
    variables to a quadratic form", Aust. N. Z. J. Stat. 58, 2016). The forecast is of x, not of z.
    Faults show in directions in which a healthy machine hardly moves, and in these directions a
    forecast of z would have errors that are large in comparison.

    A score is the root mean of ρ(change) + λ ρ(level) over observed steps and features: those of a
    sensor, of a component's sensors, or of all sensors. ρ(u) is u² up to |u| = 1 and 2|u| − 1
    beyond (P. J. Huber, 1964), as in the training loss, so that no single value dominates. A score
    is returned as a multiple of its threshold; above 1 is an alarm. It is NaN if there is nothing
    to score: no sensor, none observed, or none seen in training.

    Missing z are set to their most likely values given the others. So |x|² is the distance of the
    observed values.

    Shapes: as in `models.whitening`; also S sensors, N components.

    Args:
        spec: The vocabularies and counts of the inputs.
        channels: The channels of the network's states.
        identity: The `identity` of `SensorForecast`.
        per_step: Whether each step has its own covariance, like the normalisation. Otherwise there
            is one for the first step, which has no earlier steps, and one for all others.
        level_share: The weight λ of the level.

    Attributes:
        in_turn: The scores of training windows, each by a network that has not learned from it;
            None if only validation windows set the thresholds. They are in checkpoints alone.
    """

    slot_topology: Tensor
    slot_place: Tensor
    step_row: Tensor
    whiten: Tensor
    fitted: Tensor
    threshold_machine: Tensor
    threshold_component: Tensor
    threshold_sensor: Tensor
    held_out: Tensor

    def __init__(
        self,
        spec: InputSpec,
        channels: int,
        *,
        identity: bool = True,
        per_step: bool = False,
        level_share: float,
    ) -> None:
        super().__init__()
        self.level_share = level_share
        self.in_turn: ScoresByLevel | None = None
        self.forecast = SensorForecast(spec, channels, identity)
        build, place, self.places = build_places(spec)
        self.topologies, self.features = len(spec.builds), len(spec.feature_names)
        self.rows = spec.steps if per_step else min(2, spec.steps)
        self.register_buffer("slot_topology", build)
        self.register_buffer("slot_place", place)
        self.register_buffer("step_row", torch.arange(spec.steps).clamp(max=self.rows - 1))
        lead, size = (self.topologies, self.rows), self.places * self.features
        # Double: if sensors are nearly redundant, distances are differences of large numbers.
        unit = torch.eye(size, dtype=torch.float64).expand(*lead, size, size)
        self.register_buffer("whiten", unit.clone())
        self.register_buffer("fitted", torch.zeros(*lead, self.places, dtype=torch.bool))
        self.machines, self.slots = len(spec.machines), len(build)
        unknown = torch.full(((1 + self.machines) * self.slots,), torch.nan)
        self.register_buffer("threshold_sensor", unknown.clone())
        self.register_buffer("threshold_component", unknown.clone())
        of_machines = torch.full((self.topologies + self.machines,), torch.nan)
        self.register_buffer("threshold_machine", of_machines)
        self.register_buffer("held_out", torch.zeros((), dtype=torch.int64))

    def moments(self) -> FeatureMoments:
        """Return empty moments of this module's shape, for `gather`."""
        return FeatureMoments(self.topologies, self.rows, self.places, self.features)

    def gather(self, moments: FeatureMoments, inputs: GraphInputs) -> None:
        """Add the normalised features of healthy windows to `moments`."""
        features = self._dense(inputs, inputs.sensor_features, inputs.sensor_observed)
        moments.update(self._topology(inputs), self.step_row, *features)

    @torch.no_grad()
    def adopt(self, moments: FeatureMoments) -> None:
        """Set the whitening from these moments; call it before the forecast is trained."""
        whitening = Whitening.of(moments)
        self.whiten.copy_(whitening.matrix)
        self.fitted.copy_(whitening.fitted)

    def residual(self, inputs: GraphInputs, states: Tensor) -> SensorResidual:
        """Return the forecast's residual for normalised inputs and the network's states."""
        with torch.no_grad():
            dense, seen = self._dense(inputs, inputs.sensor_features, inputs.sensor_observed)
            seen = seen & self.fitted[self._topology(inputs)][:, self.step_row]
            whitened = self._whitened(inputs, self._filled(inputs, dense, seen))
            x = self._sparse(inputs, whitened).to(inputs.sensor_features.dtype)
            observed = self._sparse(inputs, seen).squeeze(-1) & inputs.sensor_observed
        forecast = self.forecast(inputs, states, x, observed)
        return SensorResidual((x - forecast) * observed.unsqueeze(-1), observed)

    def parts(self, inputs: GraphInputs, residual: SensorResidual) -> dict[str, Tensor]:
        """Return the parts of each level's scores, [.., 3]; see `scored_windows.PARTS`."""
        value, observed = residual.value, residual.observed
        steps = observed.sum(1).to(value.dtype)
        level = value.sum(1) / steps.clamp(min=1.0).unsqueeze(-1)
        change = (_huber(value - level.unsqueeze(1)) * observed).sum(1)
        own = torch.stack([change, steps * _huber(level), steps], dim=-1)
        return {
            MACHINE: segment_sum(own, sensor_graph(inputs), inputs.graph_id.shape[0]),
            COMPONENT: segment_sum(own, inputs.sensor_component, inputs.component_kind.shape[0]),
            SENSOR: own,
        }

    def score(self, parts: Tensor) -> Tensor:
        """Return the scores of parts [R, 3], not divided by a threshold; NaN without steps."""
        change, level, steps = parts.unbind(-1)
        square = change + self.level_share * level
        return torch.where(steps > 0, (square / steps.clamp(min=1.0)).sqrt(), torch.nan)

    def keys(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the index of each score's threshold in the tables of `thresholds`.

        It is that of the build (`build_keys`), or for a machine of the vocabulary its own, which
        is NaN if it has none.
        """
        number, build = inputs.machine_number, self.build_keys(inputs)
        known = number < self.machines
        shift = torch.where(known, (number + 1) * self.slots, 0)
        return {
            MACHINE: torch.where(known, self.topologies + number, build[MACHINE]),
            COMPONENT: build[COMPONENT] + shift[inputs.component_graph],
            SENSOR: build[SENSOR] + shift[sensor_graph(inputs)],
        }

    def build_keys(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the index of the threshold that all machines of a build share.

        The index is the topology for a machine, the slot for a sensor, and the first slot among its
        sensors for a component.
        """
        slot, components = inputs.sensor_slot, inputs.component_kind.shape[0]
        first = -segment_max(-slot, inputs.sensor_component, components)
        return {MACHINE: self._topology(inputs), COMPONENT: first, SENSOR: slot}

    def graphs(self, inputs: GraphInputs) -> dict[str, Tensor]:
        """Return the graph that each score belongs to."""
        component = inputs.component_graph
        return {MACHINE: inputs.graph_id, COMPONENT: component, SENSOR: sensor_graph(inputs)}

    def thresholds(self) -> dict[str, Tensor]:
        """Return the table of thresholds of each level: those of builds, then those of machines."""
        return {
            MACHINE: self.threshold_machine,
            COMPONENT: self.threshold_component,
            SENSOR: self.threshold_sensor,
        }

    def build_rows(self, level: str) -> range:
        """Return the rows of a table that are of builds."""
        return range(self.topologies if level == MACHINE else self.slots)

    def forward(self, inputs: GraphInputs, residual: SensorResidual) -> dict[str, Tensor]:
        """Return each level's scores as multiples of their thresholds."""
        own, build = self.keys(inputs), self.build_keys(inputs)
        answers = {}
        for level, parts in self.parts(inputs, residual).items():
            share = self.score(parts) / self.threshold(level, own[level], build[level])
            answers[level] = share.unsqueeze(-1)
        return answers

    def threshold(self, level: str, own: Tensor, build: Tensor) -> Tensor:
        """Return the thresholds of scores by their `keys`, or else by their `build_keys`."""
        table = self.thresholds()[level]
        return torch.where(table[own].isnan(), table[build], table[own])

    def _topology(self, inputs: GraphInputs) -> Tensor:
        """Return the number of each graph's topology, [G] int64."""
        kind = self.slot_topology[inputs.sensor_slot]
        return segment_max(kind, sensor_graph(inputs), inputs.graph_id.shape[0])

    def _row(self, inputs: GraphInputs) -> Tensor:
        """Return the row of each sensor among the places of all graphs, [S] int64."""
        return rows_of(inputs, self.slot_place[inputs.sensor_slot], self.places)

    def _dense(self, inputs: GraphInputs, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Arrange sensors by graph and place: [G, T, D] float64 and observed [G, T, P] bool."""
        at = self._row(inputs), inputs.graph_id.shape[0], self.places
        known = value.masked_fill(~observed.unsqueeze(-1), 0.0).double()
        dense = lay_out(known, *at).transpose(1, 2).flatten(2)
        return dense, lay_out(observed.long(), *at).transpose(1, 2) > 0

    def _sparse(self, inputs: GraphInputs, dense: Tensor) -> Tensor:
        """Invert `_dense`: [G, T, P · F] -> [S, T, F]."""
        by_place = torch.unflatten(dense, -1, (self.places, -1)).transpose(1, 2)
        return by_place.flatten(0, 1)[self._row(inputs)]

    def _whitened(self, inputs: GraphInputs, vector: Tensor) -> Tensor:
        """Multiply [G, T, D] by W of each graph's topology and step."""
        topology = self._topology(inputs).view(-1, 1, 1)
        result = torch.zeros_like(vector)
        for kind in range(self.topologies):
            product = torch.einsum("tde,gte->gtd", self.whiten[kind][self.step_row], vector)
            result = torch.where(topology == kind, product, result)
        return result

    def _filled(self, inputs: GraphInputs, dense: Tensor, seen: Tensor) -> Tensor:
        """Fill [G, T, D] with the most likely values where `seen` [G, T, P] is False.

        Minimises |W z|² over the missing entries by conjugate gradients (M. R. Hestenes, E.
        Stiefel, 1952).
        """
        missing = ~seen.repeat_interleave(self.features, -1)
        value = dense.masked_fill(missing, 0.0)
        if not torch.compiler.is_compiling() and not bool(missing.any()):
            return value  # the same result, faster

        def hessian_times(vector: Tensor) -> Tensor:
            whitened = self._whitened(inputs, vector)
            return self._whitened(inputs, whitened) * missing  # W is symmetric

        direction = gradient = -hessian_times(value)
        size = gradient.square().sum(-1, keepdim=True)
        for _ in range(_CONJUGATE_STEPS):
            product = hessian_times(direction)
            curvature = (direction * product).sum(-1, keepdim=True)
            active = curvature > 1e-20
            step = torch.where(active, size / torch.where(active, curvature, 1.0), 0.0)
            value = value + step * direction
            gradient = gradient - step * product
            after = gradient.square().sum(-1, keepdim=True)
            direction = gradient + after / size.clamp(min=1e-30) * direction
            size = after
        return value


def _huber(value: Tensor) -> Tensor:
    """Return the mean of ρ over the features: [..., F] -> [...]."""
    return 2.0 * F.huber_loss(value, torch.zeros_like(value), reduction="none").mean(-1)
