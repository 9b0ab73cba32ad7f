"""Scores of normality from whitened forecast residuals."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ModelOutput
from hydrascope.models.blocks.sensor_forecast import SensorForecast, SensorResidual
from hydrascope.models.blocks.sensor_layout import lay_out, rows_of, sensor_graph
from hydrascope.models.layers.segment import segment_sum
from hydrascope.models.normality.scores import Normality
from hydrascope.models.whitening import FeatureMoments, Whitening
from hydrascope.schemas.normality import COMPONENT, MACHINE, SENSOR

_CONJUGATE_STEPS = 16
"""The iterations of conjugate gradients that impute missing sensors."""


class ForecastNormality(Normality):
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
    beyond (P. J. Huber, 1964), as in the training loss, so that no single value dominates.

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
        covariates: As of `Normality`.
    """

    step_row: Tensor
    whiten: Tensor
    fitted: Tensor

    def __init__(
        self,
        spec: InputSpec,
        channels: int,
        *,
        identity: bool = True,
        per_step: bool = False,
        level_share: float,
        covariates: Sequence[int] = (),
    ) -> None:
        super().__init__(spec, level_share=level_share, covariates=covariates)
        self.forecast = SensorForecast(spec, channels, identity)
        self.features = len(spec.feature_names)
        self.rows = spec.steps if per_step else min(2, spec.steps)
        self.register_buffer("step_row", torch.arange(spec.steps).clamp(max=self.rows - 1))
        lead, size = (self.topologies, self.rows), self.places * self.features
        # Double: if sensors are nearly redundant, distances are differences of large numbers.
        unit = torch.eye(size, dtype=torch.float64).expand(*lead, size, size)
        self.register_buffer("whiten", unit.clone())
        self.register_buffer("fitted", torch.zeros(*lead, self.places, dtype=torch.bool))

    def moments(self) -> FeatureMoments:
        """Return empty moments of this module's shape, for `gather`."""
        return FeatureMoments(self.topologies, self.rows, self.places, self.features)

    def gather(self, moments: FeatureMoments, inputs: GraphInputs) -> None:
        """Add the normalised features of healthy windows to `moments`."""
        features = self._dense(inputs, inputs.sensor_features, inputs.sensor_observed)
        moments.update(self.topology(inputs), self.step_row, *features)

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
            seen = seen & self.fitted[self.topology(inputs)][:, self.step_row]
            whitened = self._whitened(inputs, self._filled(inputs, dense, seen))
            x = self._sparse(inputs, whitened).to(inputs.sensor_features.dtype)
            observed = self._sparse(inputs, seen).squeeze(-1) & inputs.sensor_observed
        forecast = self.forecast(inputs, states, x, observed)
        return SensorResidual((x - forecast) * observed.unsqueeze(-1), observed)

    def parts(self, inputs: GraphInputs, output: ModelOutput) -> dict[str, Tensor]:
        """Return the parts of each level's scores, [.., 3], from the forecast's residual."""
        assert output.residual is not None
        own = sensor_parts(output.residual)
        return {
            MACHINE: segment_sum(own, sensor_graph(inputs), inputs.graph_id.shape[0]),
            COMPONENT: segment_sum(own, inputs.sensor_component, inputs.component_kind.shape[0]),
            SENSOR: own,
        }

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
        topology = self.topology(inputs).view(-1, 1, 1)
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


def sensor_parts(residual: SensorResidual) -> Tensor:
    """Return the parts of each sensor's score: sums over its observed steps, and their number.

    Args:
        residual: [S, T, F]

    Returns:
        ρ of the changes, ρ of the level, and the steps, [S, 3].
    """
    value, observed = residual
    steps = observed.sum(1).to(value.dtype)
    level = value.sum(1) / steps.clamp(min=1.0).unsqueeze(-1)
    change = (_huber(value - level.unsqueeze(1)) * observed).sum(1)
    return torch.stack([change, steps * _huber(level), steps], dim=-1)


def _huber(value: Tensor) -> Tensor:
    """Return the mean of ρ over the features: [..., F] -> [...]."""
    return 2.0 * F.huber_loss(value, torch.zeros_like(value), reduction="none").mean(-1)
