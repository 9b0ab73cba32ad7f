"""Over the steps of each component: states, then ARMA attention on them."""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.arma import ARMAAttention, ARMAOutput, Variant
from hydrascope.models.layers.lstm import MaskedLSTM
from hydrascope.models.layers.pooling import StepPool
from hydrascope.models.layers.spectral import SpectralTemporal
from hydrascope.models.layers.steps import carry_forward

States = Literal["lstm", "linear", "spectral", "mlp"]


class TemporalOutput(NamedTuple):
    """What the steps of each component come to."""

    sequence: Tensor
    """[N, T, C]; states plus attention; causal with "lstm" and "linear" states."""
    summary: Tensor
    """[N, 2 C]; the last state beside the attention pool of `sequence`, so that the recurrent
    state and the attended output both reach the heads."""
    arma: ARMAOutput | None
    """The attention's value and forecast, for the forecasting loss; None without attention."""


class StepLinear(nn.Module):
    """Each step by itself, h_t = W x_t; an unobserved step repeats the last observed one.

    Shapes: B sequences, T steps, C channels.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.map = nn.Linear(channels, channels)

    def forward(self, sequence: Tensor, observed: Tensor) -> Tensor:
        """[B, T, C], [B, T] bool -> [B, T, C]."""
        mapped: Tensor = self.map(sequence.masked_fill(~observed.unsqueeze(-1), 0.0))
        return carry_forward(mapped, observed)


class WindowMLP(nn.Module):
    """All steps at once, h = x + W₂ SiLU(W₁ [x_1 … x_T]). NOT causal.

    Unobserved steps enter as 0. Shapes: B sequences, T steps, C channels.

    Args:
        channels: C.
        steps: T.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(steps * channels, 2 * channels)
        self.out = nn.Linear(2 * channels, steps * channels)

    def forward(self, sequence: Tensor, observed: Tensor) -> Tensor:
        """[B, T, C], [B, T] bool -> [B, T, C]."""
        known = sequence.masked_fill(~observed.unsqueeze(-1), 0.0)
        mixed: Tensor = self.out(F.silu(self.hidden(known.flatten(1))))
        return known + mixed.view_as(known)


def make_states(states: States, channels: int, steps: int) -> nn.Module:
    """Return a layer [B, T, C], [B, T] bool -> [B, T, C] with fresh weights."""
    match states:
        case "lstm":
            return MaskedLSTM(channels, channels)
        case "linear":
            return StepLinear(channels)
        case "spectral":
            return SpectralTemporal(channels, steps)
        case "mlp":
            return WindowMLP(channels, steps)


class TemporalBlock(nn.Module):
    """States over the steps, then causal ARMA attention on them with residual.

        h = LSTM(x);   y = h + ARMA(h);   summary = [h_T, pool_t(y_t)]

    With "lstm" states and attention this is the ARMA-LSTM; the other states stand in its LSTM's
    place: "linear" (each step by itself), "spectral" and "mlp" (the whole window, not causal).
    With "lstm" and "linear", a component without any observed step has sequence and summary 0.

    Shapes: N components, T steps, C channels.

    Args:
        channels: C.
        attention_heads: heads of the attention.
        steps: T; "spectral" and "mlp" are made for so many.
        states: what gives h.
        variant: of `ARMAAttention`.
        use_ar: the attention's AR term.
        use_ma: the attention's MA term; without both there is no attention, y = h.
    """

    def __init__(
        self,
        channels: int,
        attention_heads: int,
        steps: int,
        states: States = "lstm",
        variant: Variant = "linear",
        use_ar: bool = True,
        use_ma: bool = True,
    ) -> None:
        super().__init__()
        self.carried = states in ("lstm", "linear")
        self.states = make_states(states, channels, steps)
        self.arma: ARMAAttention | None = None
        if use_ar or use_ma:
            self.arma = ARMAAttention(channels, attention_heads, variant, use_ar, use_ma)
        self.pool = StepPool(channels)
        self.summary_channels = 2 * channels

    def forward(self, sequence: Tensor, observed: Tensor) -> TemporalOutput:
        """[N, T, C], [N, T] bool -> `TemporalOutput`."""
        hidden: Tensor = self.states(sequence, observed)
        attended, arma = hidden, None
        if self.arma is not None:
            arma = self.arma(hidden, observed, self.carried)
            attended = hidden + arma.output
        pooled: Tensor = self.pool(attended, observed)
        return TemporalOutput(attended, torch.cat((hidden[:, -1], pooled), dim=-1), arma)
