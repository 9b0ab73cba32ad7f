"""Temporal processing of each component: states, then ARMA attention on them."""

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
    """The output of the temporal block for each component."""

    sequence: Tensor
    """The states plus the attention, [N, T, C]; causal with "lstm" and "linear" states."""
    summary: Tensor
    """The last state and the attention pool of `sequence`, [N, 2 C], so that the heads read both
    the recurrent state and the attended output."""
    arma: ARMAOutput | None
    """The attention's value and forecast, for the forecasting loss; None without attention."""


class StepLinear(nn.Module):
    """Maps each step on its own, h_t = W x_t; an unobserved step repeats the last observed one.

    Shapes: B sequences, T steps, C channels.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.map = nn.Linear(channels, channels)

    def forward(self, sequence: Tensor, observed: Tensor) -> Tensor:
        """Apply the layer: [B, T, C], [B, T] bool -> [B, T, C]."""
        mapped: Tensor = self.map(sequence.masked_fill(~observed.unsqueeze(-1), 0.0))
        return carry_forward(mapped, observed)


class WindowMLP(nn.Module):
    """Maps all steps at once, h = x + W₂ SiLU(W₁ [x_1 … x_T]). NOT causal.

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
        """Apply the layer: [B, T, C], [B, T] bool -> [B, T, C]."""
        known = sequence.masked_fill(~observed.unsqueeze(-1), 0.0)
        mixed: Tensor = self.out(F.silu(self.hidden(known.flatten(1))))
        return known + mixed.view_as(known)


def make_states(states: States, channels: int, steps: int) -> nn.Module:
    """Return a layer [B, T, C], [B, T] bool -> [B, T, C] with new weights."""
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
    """States over the steps, then residual causal ARMA attention on them.

        h = LSTM(x);   y = h + ARMA(h);   summary = [h_T, pool_t(y_t)]

    With "lstm" states and attention this is the ARMA-LSTM. Other states replace the LSTM: "linear"
    (each step on its own), "spectral" and "mlp" (the whole window, not causal). With "lstm" and
    "linear", a component without any observed step has sequence and summary 0.

    Shapes: N components, T steps, C channels.

    Args:
        channels: C.
        attention_heads: The heads of the attention.
        steps: T; fixed for "spectral" and "mlp".
        states: The layer that computes h.
        variant: The variant of `ARMAAttention`.
        use_ar: Whether the attention has its AR term.
        use_ma: Whether the attention has its MA term; without both, y = h.
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
        """Apply the block to [N, T, C], [N, T] bool."""
        hidden: Tensor = self.states(sequence, observed)
        attended, arma = hidden, None
        if self.arma is not None:
            arma = self.arma(hidden, observed, self.carried)
            attended = hidden + arma.output
        pooled: Tensor = self.pool(attended, observed)
        return TemporalOutput(attended, torch.cat((hidden[:, -1], pooled), dim=-1), arma)
