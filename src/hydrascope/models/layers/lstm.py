"""LSTM over the steps of many short sequences."""

import torch
from torch import Tensor, nn


class MaskedLSTM(nn.Module):
    """LSTM that keeps its state over unobserved steps.

    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory" (1997), with the forget gate of
    F. Gers et al. (2000):

        (i, f, g, o)_t = W x_t + U h_{t−1} + b
        c_t = σ(f) c_{t−1} + σ(i) tanh(g),   h_t = σ(o) tanh(c_t)

    where x_t is observed; (c, h)_t = (c, h)_{t−1} where it is not. The loop over the steps is
    written out because `nn.LSTM` breaks the graph of torch.compile in training. `W x` is one
    matrix product for all steps. Gates are laid out i, f, g, o, as in `nn.LSTM`.

    Shapes: B sequences, T steps (fixed when exported or compiled).

    Args:
        in_channels: channels of the input.
        hidden_channels: channels of the state.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        self.input = nn.Linear(in_channels, 4 * hidden_channels)
        self.recurrent = nn.Linear(hidden_channels, 4 * hidden_channels, bias=False)
        with torch.no_grad():
            for gate in self.recurrent.weight.chunk(4):
                nn.init.orthogonal_(gate)
            self.input.bias.zero_()
            # An open forget gate lets the gradient reach the first step (Gers et al.).
            self.input.bias[hidden_channels : 2 * hidden_channels] = 1.0

    def forward(self, sequence: Tensor, observed: Tensor) -> Tensor:
        """[B, T, in_channels], [B, T] bool -> every h_t [B, T, hidden_channels].

        What stands at an unobserved step, NaN included, is never read. The last row is the last
        state; a sequence without any observed step has h = 0.
        """
        projected: Tensor = self.input(sequence.masked_fill(~observed.unsqueeze(-1), 0.0))
        hidden = projected.new_zeros(projected.shape[0], self.hidden_channels)
        cell = hidden
        states: list[Tensor] = []
        for step, seen in zip(projected.unbind(1), observed.unsqueeze(-1).unbind(1), strict=True):
            i, f, g, o = (step + self.recurrent(hidden)).chunk(4, dim=-1)
            next_cell = torch.addcmul(f.sigmoid() * cell, i.sigmoid(), g.tanh())
            cell = torch.where(seen, next_cell, cell)
            hidden = torch.where(seen, o.sigmoid() * next_cell.tanh(), hidden)
            states.append(hidden)
        return torch.stack(states, dim=1)
