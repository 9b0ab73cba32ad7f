"""LSTM for many short sequences with unobserved steps."""

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

    if x_t is observed; otherwise (c, h)_t = (c, h)_{t−1}. `W x` is one matrix product for all
    steps. The rest is `_Recurrence`, because `nn.LSTM` has no mask and breaks the graph of
    torch.compile in training. The gates are in the order i, f, g, o, as in `nn.LSTM`.

    Shapes: B sequences, T steps (fixed when exported or compiled).

    Args:
        in_channels: The channels of the input.
        hidden_channels: The channels of the state.
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
        """Return every h_t: [B, T, in_channels], [B, T] bool -> [B, T, hidden_channels].

        Values at unobserved steps are never read, even if they are NaN. The last row is the last
        state. A sequence without any observed step has h = 0.
        """
        # Steps come first below, so that each one is contiguous.
        known = sequence.masked_fill(~observed.unsqueeze(-1), 0.0).transpose(0, 1)
        states: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
            self.input(known.contiguous()), self.recurrent.weight, observed.t()
        )
        return states.transpose(0, 1)


class _Recurrence(torch.autograd.Function):
    """Computes every h_t of an LSTM from W x + b, with an explicit backward pass.

    Derivatives of a step are computed when they are used. The gradient of U is one matrix product
    over all steps.
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, observed: Tensor) -> Tensor:
        """Return the states: [T, B, 4 C], [4 C, C], [T, B] bool -> [T, B, C]."""
        transposed = weight.to(projected.dtype).t()
        channels = weight.shape[1]
        cell = hidden = projected.new_zeros(projected.shape[1], channels)
        states: list[Tensor] = []
        kept: list[Tensor] = []
        unseen = ~observed.unsqueeze(-1)
        for step, skipped in zip(projected.unbind(), unseen.unbind(), strict=True):
            gates = torch.addmm(step, hidden, transposed)
            i, f, g, o = (gates.narrow(-1, k * channels, channels) for k in range(4))
            # In place. An unobserved step keeps the whole cell and adds nothing.
            i.sigmoid_().masked_fill_(skipped, 0.0)
            f.sigmoid_().masked_fill_(skipped, 1.0)
            g.tanh_()
            o.sigmoid_()
            kept += [gates, cell]
            cell = torch.addcmul(f * cell, i, g)
            tanh_cell = cell.tanh()
            kept.append(tanh_cell)
            hidden = torch.where(skipped, hidden, o * tanh_cell)
            states.append(hidden)
        all_states = torch.stack(states)
        ctx.save_for_backward(weight, observed, all_states, *kept)
        return all_states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of `projected` and `weight` from [T, B, C]."""
        weight, observed, states, *kept = ctx.saved_tensors
        recurrent = weight.to(gradient.dtype)
        seen = observed.unsqueeze(-1).to(gradient.dtype)
        grad_hidden = grad_cell = torch.zeros_like(gradient[0])
        grad_gates: list[Tensor] = []
        for step in reversed(range(states.shape[0])):
            gates, cell, tanh_cell = kept[3 * step : 3 * step + 3]
            i, f, g, o = gates.chunk(4, dim=-1)
            grad_hidden = grad_hidden + gradient[step]
            # The gradient skips the gates of an unobserved step, and passes those of others.
            through = grad_hidden * seen[step]
            skipping = grad_hidden - through
            grad_new_cell = grad_cell + _tanh_backward(through * o, tanh_cell)
            grad_gates.append(
                torch.cat(
                    (
                        _sigmoid_backward(grad_new_cell * g, i),
                        _sigmoid_backward(grad_new_cell * cell, f),
                        _tanh_backward(grad_new_cell * i, g),
                        _sigmoid_backward(through * tanh_cell, o),
                    ),
                    dim=-1,
                )
            )
            grad_cell = grad_new_cell * f
            grad_hidden = torch.addmm(skipping, grad_gates[-1], recurrent)
        rows = torch.cat(grad_gates[::-1])
        before = F.pad(states[:-1], (0, 0, 0, 0, 1, 0)).flatten(0, 1)
        grad_projected = rows.view(*states.shape[:2], rows.shape[-1])
        return grad_projected, (rows.t() @ before).to(weight.dtype), None
