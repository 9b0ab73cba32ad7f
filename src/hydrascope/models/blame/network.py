"""The network that blames components, learned on simulated faults of many machines.

Shapes: W windows, S sensors, N components, E columns of evidence, C channels; Q, K and D as in
`models.blame.places`.
"""

from collections.abc import Iterable
from importlib import resources
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

from hydrascope.models.blame.evidence import EVIDENCE, SHARES
from hydrascope.models.blame.places import DISTANCES, FAMILIES, QUANTITIES, MachinePlaces

LOWEST, HIGHEST = -6.0, 8.0
"""The bounds of the evidence; beyond, more of it says nothing new."""
_MANY = 4
"""The number of own sensors from which on more of them make no difference."""
ABSENT = -1e4
"""The logit of a component that is not there."""
CHANNELS = 24
"""The channels of the networks whose weights the package holds."""
_FILE = resources.files("hydrascope") / "assets" / "blame" / "blame.safetensors"


class BlameInputs(NamedTuple):
    """Windows of machines, one machine each, filled up to equal S and N."""

    evidence: Tensor
    """`EVIDENCE` of each sensor, [W, S, E] float."""
    observed: Tensor
    """True for a sensor that exists and was observed, [W, S] bool."""
    places: MachinePlaces
    """[W, …] each."""
    present: Tensor
    """True for a component, False for padding, [W, N] bool."""


class BlameNetwork(nn.Module):
    """Answers which component the evidence of all sensors points at.

    Every candidate is judged by the same weights. For candidate j each sensor s gives

        h(s, j) = ReLU(W₂ ReLU(W₁ [evidence of s, what s is, where s is from j, what j is]))

    and the logit of j follows from the mean and the maximum of h over the observed sensors, from
    the family of j and from the number of its own sensors. So the order of sensors and components
    makes no difference, any machine file can be answered, and a component without sensors is judged
    by those of its neighbours (M. Zaheer et al., "Deep Sets", NeurIPS 2017).

    Args:
        channels: C.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        families = len(FAMILIES)
        self.evidence = nn.Linear(2 * len(EVIDENCE) + 2 * SHARES, channels)
        self.sensor = nn.Linear(len(QUANTITIES) + families, channels)
        self.distance = nn.Linear(sum(DISTANCES), channels, bias=False)
        self.candidate = nn.Linear(families, channels, bias=False)
        self.pair = nn.Linear(channels, channels)
        self.hidden = nn.Linear(2 * channels + families + 1, channels)
        self.out = nn.Linear(channels, 1)

    def forward(self, inputs: BlameInputs) -> Tensor:
        """Return the logits [W, N]; `ABSENT` for components that are not there."""
        places, seen = inputs.places, inputs.observed
        of_sensor = self.evidence(_relative(inputs.evidence, seen)) + self.sensor(places.sensor)
        of_pair = self.distance(places.distance) + of_sensor.unsqueeze(2)
        state = F.relu(of_pair + self.candidate(places.component).unsqueeze(1))
        state = F.relu(self.pair(state))
        weight = seen[:, :, None, None].to(state.dtype)
        mean = (state * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        most = state.masked_fill(weight == 0, -1.0).amax(1)
        own = (places.own & seen.unsqueeze(-1)).sum(1).clamp(max=_MANY) / _MANY
        joined = torch.cat([mean, most, places.component, own.unsqueeze(-1).to(mean.dtype)], dim=-1)
        logit: Tensor = self.out(F.relu(self.hidden(joined))).squeeze(-1)
        return logit.masked_fill(~inputs.present, ABSENT)


def packaged_weights() -> dict[str, Tensor]:
    """Return the state of `Blame.networks`, written by `python -m benchmarks blame --write`."""
    return load(_FILE.read_bytes())


def joint_logits(networks: Iterable[nn.Module], inputs: BlameInputs) -> Tensor:
    """Return the mean of the log-probabilities of several `BlameNetwork`s, [W, N]."""
    logits = [cast(Tensor, each(inputs)) for each in networks]
    return torch.stack([each.log_softmax(dim=-1) for each in logits]).mean(0)


def _relative(evidence: Tensor, seen: Tensor) -> Tensor:
    """Return the evidence, its magnitude, and its shares beside the highest and the mean."""
    bounded = evidence.clamp(LOWEST, HIGHEST).masked_fill(~seen.unsqueeze(-1), 0.0)
    share, known = bounded[..., :SHARES], seen.unsqueeze(-1)
    highest = share.masked_fill(~known, LOWEST).amax(1, keepdim=True)
    mean = share.sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)
    return torch.cat([bounded, bounded.abs(), share - highest, share - mean], dim=-1)
