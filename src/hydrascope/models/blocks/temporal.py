"""Over the steps of each component: LSTM, then ARMA attention."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hydrascope.models.layers.arma import ARMAAttention, ARMAOutput, Variant
from hydrascope.models.layers.lstm import MaskedLSTM
from hydrascope.models.layers.pooling import StepPool
from hydrascope.models.layers.steps import carry_forward


class TemporalOutput(NamedTuple):
    """What the steps of each component come to."""

    sequence: Tensor
    """[N, T, C]; hidden states plus attention, causal."""
    summary: Tensor
    """[N, 2 C]; the last hidden state beside the attention pool of `sequence`, so that the
    recurrent state and the attended output both reach the heads."""
    arma: ARMAOutput | None
    """The attention's value and forecast, for the forecasting loss; None without attention."""


class ARMALSTM(nn.Module):
    """Masked LSTM, then causal ARMA attention on its states with residual.

        h = LSTM(x);   y = h + ARMA(h);   summary = [h_T, pool_t(y_t)]

    A component without any observed step has sequence and summary 0.

    Shapes: N components, T steps, C channels (`channels`).

    Args:
        in_channels: channels of the input.
        channels: C.
        heads: heads of the attention.
        variant: of `ARMAAttention`.
        use_lstm: False puts a linear map in the LSTM's place.
        use_ar: the attention's AR term.
        use_ma: the attention's MA term; without both there is no attention, y = h.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        heads: int,
        variant: Variant = "linear",
        use_lstm: bool = True,
        use_ar: bool = True,
        use_ma: bool = True,
    ) -> None:
        super().__init__()
        self.lstm = MaskedLSTM(in_channels, channels) if use_lstm else None
        self.linear = None if use_lstm else nn.Linear(in_channels, channels)
        self.arma: ARMAAttention | None = None
        if use_ar or use_ma:
            self.arma = ARMAAttention(channels, heads, variant, use_ar, use_ma)
        self.pool = StepPool(channels)
        self.summary_channels = 2 * channels

    def forward(self, sequence: Tensor, observed: Tensor) -> TemporalOutput:
        """[N, T, in_channels], [N, T] bool -> `TemporalOutput`."""
        hidden: Tensor
        if self.lstm is not None:
            hidden = self.lstm(sequence, observed)
        else:
            assert self.linear is not None
            known = sequence.masked_fill(~observed.unsqueeze(-1), 0.0)
            hidden = carry_forward(self.linear(known), observed)
        attended, arma = hidden, None
        if self.arma is not None:
            arma = self.arma(hidden, observed)
            attended = hidden + arma.output
        pooled: Tensor = self.pool(attended, observed)
        return TemporalOutput(attended, torch.cat((hidden[:, -1], pooled), dim=-1), arma)
