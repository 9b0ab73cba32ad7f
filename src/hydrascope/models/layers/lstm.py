"""LSTM over the steps of many short sequences."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward


class MaskedLSTM(nn.Module):
    """LSTM that keeps its state over unobserved steps.

    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory" (1997), with the forget gate of
    F. Gers et al. (2000):

        (i, f, g, o)_t = W x_t + U h_{t−1} + b
        c_t = σ(f) c_{t−1} + σ(i) tanh(g),   h_t = σ(o) tanh(c_t)

    where x_t is observed; (c, h)_t = (c, h)_{t−1} where it is not. `W x` is one matrix product for
    all steps; the rest is `_Recurrence`, because `nn.LSTM` knows no mask and breaks the graph of
    torch.compile in training. Gates are laid out i, f, g, o, as in `nn.LSTM`.

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
        # Steps in front from here to there, so that each one lies in one piece.
        known = sequence.masked_fill(~observed.unsqueeze(-1), 0.0).transpose(0, 1)
        states: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
            self.input(known.contiguous()), self.recurrent.weight, observed.t()
        )
        return states.transpose(0, 1)


class _Recurrence(torch.autograd.Function):
    """Every h_t of an LSTM from W x + b, with its backward pass written out.

    A step's slopes are computed where they are used, and the gradient of U is one matrix product
    over all steps.
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, observed: Tensor) -> Tensor:
        """[T, B, 4 C], [4 C, C], [T, B] bool -> [T, B, C]."""
        transposed = weight.to(projected.dtype).t()
        channels = weight.shape[1]
        cell = hidden = projected.new_zeros(projected.shape[1], channels)
        states: list[Tensor] = []
        kept: list[Tensor] = []
        unseen = ~observed.unsqueeze(-1)
        for step, skipped in zip(projected.unbind(), unseen.unbind(), strict=True):
            gates = torch.addmm(step, hidden, transposed)
            i, f, g, o = (gates.narrow(-1, k * channels, channels) for k in range(4))
            # In place, and so that an unobserved step keeps all and takes in nothing.
            i.sigmoid_().masked_fill_(skipped, 0.0)
            f.sigmoid_().masked_fill_(skipped, 1.0)
            g.tanh_()
            o.sigmoid_()
            kept += [gates, cell]
            cell = torch.addcmul(f * cell, i, g)
            bent = cell.tanh()
            kept.append(bent)
            hidden = torch.where(skipped, hidden, o * bent)
            states.append(hidden)
        all_states = torch.stack(states)
        ctx.save_for_backward(weight, observed, all_states, *kept)
        return all_states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """[T, B, C] -> the gradients of `projected` and of `weight`."""
        weight, observed, states, *kept = ctx.saved_tensors
        recurrent = weight.to(gradient.dtype)
        seen = observed.unsqueeze(-1).to(gradient.dtype)
        of_hidden = of_cell = torch.zeros_like(gradient[0])
        of_gates: list[Tensor] = []
        for step in reversed(range(states.shape[0])):
            gates, cell, bent = kept[3 * step : 3 * step + 3]
            i, f, g, o = gates.chunk(4, dim=-1)
            of_hidden = of_hidden + gradient[step]
            # Past an unobserved step goes all there is, through an observed one only what follows.
            here = of_hidden * seen[step]
            past_hidden = of_hidden - here
            inside = of_cell + _tanh_backward(here * o, bent)
            of_gates.append(
                torch.cat(
                    (
                        _sigmoid_backward(inside * g, i),
                        _sigmoid_backward(inside * cell, f),
                        _tanh_backward(inside * i, g),
                        _sigmoid_backward(here * bent, o),
                    ),
                    dim=-1,
                )
            )
            of_cell = inside * f
            of_hidden = torch.addmm(past_hidden, of_gates[-1], recurrent)
        rows = torch.cat(of_gates[::-1])
        before = F.pad(states[:-1], (0, 0, 0, 0, 1, 0)).flatten(0, 1)
        of_projected = rows.view(*states.shape[:2], rows.shape[-1])
        return of_projected, (rows.t() @ before).to(weight.dtype), None
