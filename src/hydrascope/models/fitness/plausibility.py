"""The plausibility of each sensor, given what the machine's other sensors measure.

Shapes: as in `fitness.summary`; also B builds, D = P V, Q quantiles, W windows of one build.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.fitness.conditionals import QUANTILES, Conditionals, Fitted
from hydrascope.models.fitness.summary import Summaries, WindowSummary
from hydrascope.schemas.fitness import SensorState

_MOST_DOUBTFUL = 4
"""If more than one in so many sensors are doubtful, the whole window is unlike the training."""
_STUCK = 0.1
"""A sensor is stuck if its spread is below this share of the least spread in training."""
_SHIFTED = 0.5
"""A shift along the cycle explains a window if it reduces the distance to this share."""


class Plausible(NamedTuple):
    """The judgement of W windows of one build."""

    state: Tensor
    """[W, P] int64; a `SensorState`."""
    read: Tensor
    """[W, P]; the mean of the sensor in the window, in its unit; NaN unless it is doubtful."""
    expected: Tensor
    """[W, P]; the mean that the other sensors suggest; NaN unless the sensor is doubtful."""
    unlike: Tensor
    """[W] bool; too many sensors contradict each other to tell which of them are sound."""
    typicality: Tensor
    """[W]; a conformal p-value: the share of held-out training windows whose sensors contradict
    each other at least as much."""
    excess: Tensor
    """[W]; how far the remaining sensors contradict each other beyond what is usual (`Fitted`)."""
    phase: Tensor
    """[W]; where in the load cycle an unlike window seems to start, as a share of the window; NaN
    if no shift explains it."""


class Plausibility(nn.Module):
    """Compares each sensor with its conditional mean given the machine's other sensors.

    With x the standardised summary of all sensors of a machine and P = (Σ + λ I)⁻¹ of its build:

        r_s = (P x)_sᵀ P_ss⁻¹ (P x)_s / V

    This is the squared Mahalanobis distance of sensor s from its conditional mean under a normal
    distribution, per value. No label is used. A sensor whose r_s exceeds its limit is doubtful.
    One wrong sensor makes others contradict it. So the sensor that exceeds its limit most is taken
    out first, and the rest is judged again without it.

    A window in which more than one in four sensors would be doubtful is unlike the training:
    nothing says which of its sensors are sound. Only builds of the training data are judged.

    Args:
        spec: The description of the inputs.
    """

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.summary = WindowSummary(spec)
        builds, places, size = self.summary.builds, self.summary.places, self.summary.size
        # Nothing is doubtful or stuck before the fit.
        empty = Fitted(
            torch.zeros(places, size),
            torch.ones(places, size),
            torch.eye(places * size),
            torch.full((places,), torch.inf),
            torch.ones(places),
            torch.zeros(places),
            torch.full((QUANTILES,), torch.nan),
        )
        for name, value in empty._asdict().items():
            self.register_buffer(name, value.repeat(builds, *[1] * value.dim()))
        self._conditionals: dict[tuple[int, torch.device], Conditionals] = {}
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def adopt(self, build: int, fitted: Fitted) -> None:
        """Set what was fitted for a build."""
        for name, value in fitted._asdict().items():
            self.get_buffer(name)[build] = value
        self._conditionals.clear()

    @torch.no_grad()
    def forward(self, inputs: GraphInputs) -> list[tuple[Tensor, Plausible]]:
        """Judge raw features; return the graphs [W] of each known build, and the judgement."""
        summaries, build = self.summary(inputs), self.summary.build_of(inputs)
        found = []
        for number in torch.unique(build[build >= 0]).tolist():
            graphs = (build == number).nonzero().squeeze(1)
            found.append((graphs, judge(self._of(number, build.device), summaries.rows(graphs))))
        return found

    def _of(self, build: int, device: torch.device) -> Conditionals:
        if (build, device) not in self._conditionals:
            fitted = Fitted(*(self.get_buffer(name)[build] for name in Fitted._fields))
            self._conditionals[build, device] = Conditionals(fitted)
        return self._conditionals[build, device]


def _forget(plausibility: Plausibility, _: object) -> None:
    """Drop matrices of tensors that have been replaced."""
    plausibility._conditionals.clear()


def judge(conditionals: Conditionals, window: Summaries) -> Plausible:
    """Judge windows of one build."""
    fitted = conditionals.fitted
    z = fitted.standardised(window.value, window.known)
    state = torch.where(window.observed, int(SensorState.SOUND), int(SensorState.MISSING))
    state[window.observed & (window.spread < _STUCK * fitted.least_spread)] = SensorState.STUCK
    unlike = torch.zeros(len(z), dtype=torch.bool, device=z.device)
    score, excess = torch.zeros(2, len(z), device=z.device)
    pending = torch.arange(len(z), device=z.device)
    most = int(fitted.judged.sum()) // _MOST_DOUBTFUL
    for turn in range(most + 1):
        if not len(pending):
            break
        present = (state[pending] == SensorState.SOUND) & fitted.judged
        ratio = conditionals.ratios(z[pending], present)
        excess[pending] = fitted.excess(ratio)
        worst, sensor = ratio.max(1)
        if turn == 0:
            score = worst
        above = worst > 1.0
        pending, sensor = pending[above], sensor[above]
        if turn < most:
            state[pending, sensor] = SensorState.DOUBTFUL
        else:
            unlike[pending] = True
    read, expected = (torch.full_like(z[..., 0], torch.nan) for _ in range(2))
    doubtful = (state == SensorState.DOUBTFUL) & ~unlike.unsqueeze(1)
    for row, place in doubtful.nonzero().tolist():
        sound = (state[row] == SensorState.SOUND) & fitted.judged
        mean = conditionals.expected(z[row], sound, place)
        read[row, place] = window.level(window.value[row, place])
        expected[row, place] = window.level(fitted.mean[place] + fitted.scale[place] * mean)
    typicality, phase = fitted.typicality(score), _phase(fitted, window, unlike)
    return Plausible(state, read, expected, unlike, typicality, excess, phase)


def _phase(fitted: Fitted, window: Summaries, unlike: Tensor) -> Tensor:
    phase = torch.full(unlike.shape, torch.nan, device=unlike.device)
    rows = unlike.nonzero().squeeze(1)
    if not len(rows):
        return phase
    distances = []
    for groups in range(window.groups):
        z = fitted.standardised(*window.rows(rows).shifted(groups))
        x = z.masked_fill(~fitted.judged.unsqueeze(1), 0.0).flatten(1)
        distances.append(((x @ fitted.precision) * x).sum(1))
    distance = torch.stack(distances, 1)
    least, shift = distance.min(1)
    explained = least < _SHIFTED * distance[:, 0]
    phase[rows[explained]] = shift[explained] / window.groups
    return phase
