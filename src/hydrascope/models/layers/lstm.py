"""LSTM over the steps of many short sequences."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hydrascope.models.layers.steps import previous_step

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
        projected: Tensor = self.input(sequence.masked_fill(~observed.unsqueeze(-1), 0.0))
        states: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
            projected, self.recurrent.weight, observed
        )
        return states


class _Recurrence(torch.autograd.Function):
    """Every h_t of an LSTM from W x + b, with its backward pass written out.

    A step's slopes are computed where they are used, and the gradient of U is one matrix product
    over all steps.
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, observed: Tensor) -> Tensor:
        """[B, T, 4 C], [4 C, C], [B, T] bool -> [B, T, C]."""
        transposed = weight.to(projected.dtype).t()
        hidden = projected.new_zeros(projected.shape[0], weight.shape[1])
        cell = hidden
        states: list[Tensor] = []
        kept: list[Tensor] = []
        for step, seen in zip(projected.unbind(1), observed.unsqueeze(-1).unbind(1), strict=True):
            i, f, g, o = torch.addmm(step, hidden, transposed).chunk(4, dim=-1)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            next_cell = torch.addcmul(f * cell, i, g)
            bent = next_cell.tanh()
            kept += [i, f, g, o, cell, bent]
            cell = torch.where(seen, next_cell, cell)
            hidden = torch.where(seen, o * bent, hidden)
            states.append(hidden)
        all_states = torch.stack(states, dim=1)
        ctx.save_for_backward(weight, observed, all_states, *kept)
        return all_states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """[B, T, C] -> the gradients of `projected` and of `weight`."""
        weight, observed, states, *kept = ctx.saved_tensors
        recurrent = weight.to(gradient.dtype)
        of_hidden = of_cell = torch.zeros_like(gradient[:, 0])
        of_gates: list[Tensor] = []
        for step in reversed(range(states.shape[1])):
            i, f, g, o, cell, bent = kept[6 * step : 6 * step + 6]
            seen = observed[:, step, None]
            of_hidden = of_hidden + gradient[:, step]
            # Past an unobserved step goes all there is, through an observed one only what follows.
            here, past_hidden = of_hidden * seen, of_hidden * ~seen
            inside = torch.addcmul(_tanh_backward(here * o, bent), of_cell, seen.to(here.dtype))
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
            of_cell = torch.addcmul(of_cell * ~seen, inside, f)
            of_hidden = torch.addmm(past_hidden, of_gates[-1], recurrent)
        of_gates.reverse()
        # Of the gates nothing but cat and t: several gradients may come at once, under vmap.
        before = previous_step(states).transpose(0, 1).flatten(0, 1)
        of_weight = torch.cat(of_gates).t() @ before
        return torch.stack(of_gates, dim=1), of_weight.to(weight.dtype), None
