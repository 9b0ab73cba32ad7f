"""The Mahalanobis distance of the steps of a window.

Shapes: K builds, R rows of steps, P places of the largest build, F features, D = P · F, G graphs,
S sensors in the batch, T steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import LabelledWindows, ModelOutput
from hydrascope.models.blocks.sensor_layout import build_of, features_laid_out, sensor_graph
from hydrascope.models.detectors.config import MahalanobisConfig
from hydrascope.models.detectors.detector import FEWEST, LEAST_SPREAD, Detector, parts_by_level
from hydrascope.models.whitening import FeatureMoments, Whitening
from hydrascope.schemas.task import HeadSpec

_CONJUGATE_STEPS = 16
"""The iterations that impute missing sensors in exported programs, enough for a few of them."""


class WhitenedSteps(NamedTuple):
    """The whitened features of the sensors in a batch."""

    own: Tensor
    """x, [S, T, F]; 0 where not `joint`."""
    joint: Tensor
    """Whether the sensor counts for its component and machine at a step, also with a likely value
    in place of a missing one, [S, T] bool."""
    scored: Tensor
    """Whether the sensor is observed at a step, and was in the learned windows, [S, T] bool."""
    counted: Tensor
    """Whether the sensor is `scored` at a step, and varied in the learned windows, [S, T] bool."""


class Mahalanobis(Detector):
    """Scores windows by how far each step is from those that were learned.

    For a machine at one step, with z the normalised features of all its sensors:

        x = W (z − μ)       W = Σ^(−1/2), with μ and Σ from the learned windows
        x = level + change  level: mean over the window's observed steps; change: the rest

    |x|² is the squared Mahalanobis distance of the step. Σ is shrunk (`whitening`). The symmetric
    root splits |x|² into the shares of the sensors (P. H. Garthwaite, I. Koch, "Evaluating the
    contributions of individual variables to a quadratic form", Aust. N. Z. J. Stat. 58, 2016).

    The parts of a score are the sums of ρ(change) and of ρ(level) over observed steps, averaged
    over the features: those of a sensor, of a component's sensors, or of all sensors. ρ(u) is u².
    With `robust`, it is 2|u| − 1 where |u| > 1 (P. J. Huber, 1964), so that no single value
    dominates. Components are blamed by squares either way: they name more of random circuits'
    components rightly.

    Missing z are set to their most likely values given the others. So |x|² is the distance of the
    observed values. The shares of missing sensors count for their component and machine.

    Args:
        config: The options.
        spec: The description of the inputs.
        heads: As of `Detector`.
    """

    Config = MahalanobisConfig
    step_row: Tensor
    center: Tensor
    """μ, [K, R, D]"""
    whiten: Tensor
    """W, [K, R, D, D]"""
    known: Tensor
    """Whether any learned window shows the sensor, [K, R, P]."""
    varies: Tensor
    """Whether any of its features varies, [K, R, P]."""

    def __init__(
        self, config: MahalanobisConfig, spec: InputSpec, heads: Sequence[HeadSpec] = ()
    ) -> None:
        super().__init__(config, spec, heads)
        self.robust, self.features = config.robust, len(spec.feature_names)
        self.rows = spec.steps if config.per_step else 1
        step_row = torch.arange(spec.steps).clamp(max=self.rows - 1)
        self.register_buffer("step_row", step_row, persistent=False)
        lead, size = (len(spec.builds), self.rows), self.places * self.features
        self.register_buffer("center", torch.zeros(*lead, size, dtype=torch.float64))
        # Double: if sensors are nearly redundant, distances are differences of large numbers.
        self.register_buffer("whiten", torch.zeros(*lead, size, size, dtype=torch.float64))
        self.register_buffer("known", torch.zeros(*lead, self.places, dtype=torch.bool))
        self.register_buffer("varies", torch.zeros(*lead, self.places, dtype=torch.bool))

    @torch.no_grad()
    def fit(self, windows: LabelledWindows, seed: int) -> dict[str, str]:  # noqa: ARG002
        """Fit mean and covariance of each build to its windows; nothing is random.

        Raises:
            SpecError: No build has `FEWEST` windows.
        """
        builds = len(self.whiten)
        moments = FeatureMoments(builds, self.rows, self.places, self.features)
        counted = torch.zeros(builds, dtype=torch.int64)
        for inputs, _ in windows.parts():
            build = build_of(inputs, self.slot_build)
            counted += build.bincount(minlength=builds)
            moments.update(build, self.step_row, *self._dense(inputs, inputs.sensor_observed))
        whitening = Whitening.of(moments)
        enough = counted >= FEWEST
        self.center.copy_(whitening.center)
        self.whiten.copy_(whitening.matrix)
        self.known.copy_(whitening.fitted & enough.view(-1, 1, 1))
        variance = moments.covariance().diagonal(dim1=-2, dim2=-1)
        varies = torch.unflatten(variance > LEAST_SPREAD**2, -1, (self.places, -1))
        self.varies.copy_(varies.any(-1))
        self._check_fit(self.known, self.varies, len(windows))
        return {}

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        """Return the parts of each level's scores, [.., 3]; see `normality.scored_windows`."""
        x = self.whitened(inputs)
        shares = sensor_parts(x.own * x.scored.unsqueeze(-1), x.scored, robust=False)
        own = shares
        if self.robust:
            own = sensor_parts(x.own * x.scored.unsqueeze(-1), x.scored, robust=True)
        joint = sensor_parts(x.own, x.joint, robust=self.robust)
        joint = torch.cat((joint[:, :2], x.counted.sum(1).to(joint).unsqueeze(-1)), dim=-1)
        return ModelOutput({}, parts=parts_by_level(inputs, own, joint), shares=shares)

    def whitened(self, inputs: GraphInputs) -> WhitenedSteps:
        """Return the whitened features of the sensors."""
        build, place = self.slot_build[inputs.sensor_slot], self.slot_place[inputs.sensor_slot]
        learned = self.known[build, :, place][:, self.step_row]
        scored = inputs.sensor_observed & learned
        graph = build_of(inputs, self.slot_build)
        dense, seen = self._dense(inputs, scored)
        dense = dense - self.center[graph][:, self.step_row]
        dense = dense.masked_fill((~seen).repeat_interleave(self.features, -1), 0.0)
        # Builds with fewer sensors have places that nothing is known of, and that miss nothing.
        known = self.known[graph][:, self.step_row]
        fill = self._nearly_filled if torch.compiler.is_compiling() else self._filled
        x = self._by_build(graph, fill(graph, dense, known & ~seen))
        by_place = torch.unflatten(x, -1, (self.places, -1)).transpose(1, 2).flatten(0, 1)
        own = by_place[self._row(inputs)].to(inputs.sensor_features.dtype)
        of_place = seen.transpose(1, 2).flatten(0, 1)[self._row(inputs)]
        joint = learned & seen.any(-1)[sensor_graph(inputs)] & (scored | ~of_place)
        counted = scored & self.varies[build, :, place][:, self.step_row]
        return WhitenedSteps(own * joint.unsqueeze(-1), joint, scored, counted)

    def _dense(self, inputs: GraphInputs, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Arrange sensors by graph and place: [G, T, D] float64 and observed [G, T, P] bool."""
        dense, seen = features_laid_out(inputs, observed, self._row(inputs), self.places)
        return dense.transpose(1, 2).flatten(2), seen.transpose(1, 2)

    def _by_build(self, build: Tensor, vector: Tensor) -> Tensor:
        """Multiply [G, T, D] by W of each graph's build and step."""
        if not torch.compiler.is_compiling():  # the same result, faster
            result = torch.empty_like(vector)
            for number in sorted(set(build.tolist())):
                own = build == number
                result[own] = self._product(number, vector[own])
            return result
        result = torch.zeros_like(vector)
        for number in range(len(self.whiten)):
            own = (build == number).view(-1, 1, 1)
            result = torch.where(own, self._product(number, vector), result)
        return result

    def _filled(self, build: Tensor, value: Tensor, missing: Tensor) -> Tensor:
        """Set the missing places [G, T, P] of deviations [G, T, D] to their most likely values.

        These minimise |W z|², so that they solve (W_m'W_m) z_m = −W_m' W_o z_o.
        """
        if not bool(missing.any()):
            return value
        steps = len(self.step_row)
        about = torch.stack((build.repeat_interleave(steps), self.step_row.repeat(len(build))), 1)
        pattern, number = torch.unique(
            torch.cat((about, missing.flatten(0, 1).long()), dim=1), dim=0, return_inverse=True
        )
        filled = value.flatten(0, 1).clone()
        for each, (kind, row, *places) in enumerate(pattern.tolist()):
            hidden = torch.tensor(places, dtype=torch.bool, device=value.device)
            hidden = hidden.repeat_interleave(self.features)
            if bool(hidden.any()):
                whiten, at = self.whiten[kind, row], number == each
                towards = whiten[:, hidden]
                factor = torch.linalg.cholesky(towards.mT @ towards)
                pull = (filled[at] @ whiten) @ towards
                likely = torch.cholesky_solve(-pull.mT, factor).mT
                filled[at] = filled[at].masked_scatter(hidden.expand_as(filled[at]), likely)
        return filled.view_as(value)

    def _nearly_filled(self, build: Tensor, value: Tensor, missing: Tensor) -> Tensor:
        """Approximate `_filled` by conjugate gradients (M. R. Hestenes, E. Stiefel, 1952).

        Unlike it, they can be exported. With many sensors missing they end early, and distances
        are then too large.
        """
        entries = missing.repeat_interleave(self.features, -1)

        def hessian_times(vector: Tensor) -> Tensor:
            return self._by_build(build, self._by_build(build, vector)) * entries

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

    def _product(self, build: int, vector: Tensor) -> Tensor:
        """Multiply [G, T, D] by W of each step, which is symmetric."""
        if self.rows == 1:
            return vector @ self.whiten[build, 0]
        return torch.einsum("tde,gte->gtd", self.whiten[build], vector)


def sensor_parts(value: Tensor, observed: Tensor, *, robust: bool) -> Tensor:
    """Return the parts of each sensor's score: sums over its observed steps, and their number.

    Args:
        value: The whitened features, [S, T, F]; 0 where not observed.
        observed: [S, T] bool.
        robust: As in `MahalanobisConfig`.

    Returns:
        ρ of the changes, ρ of the level, and the steps, [S, 3].
    """
    steps = observed.sum(1).to(value.dtype)
    level = value.sum(1) / steps.clamp(min=1.0).unsqueeze(-1)
    change = (_rho(value - level.unsqueeze(1), robust=robust) * observed).sum(1)
    return torch.stack([change, steps * _rho(level, robust=robust), steps], dim=-1)


def _rho(value: Tensor, *, robust: bool) -> Tensor:
    """Return the mean of ρ over the features: [..., F] -> [...]."""
    if not robust:
        return value.square().mean(-1)
    return 2.0 * F.huber_loss(value, torch.zeros_like(value), reduction="none").mean(-1)
