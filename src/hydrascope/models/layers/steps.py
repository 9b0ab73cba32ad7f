"""Shifts along the step axis. Shapes: B sequences, T steps, C channels."""

import torch
import torch.nn.functional as F
from torch import Tensor


def previous_step(sequence: Tensor) -> Tensor:
    """Delay by one step, starting with zeros: [..., T, C] -> [..., T, C]."""
    return F.pad(sequence[..., :-1, :], (0, 0, 1, 0))


def carry_forward(sequence: Tensor, observed: Tensor) -> Tensor:
    """Replace unobserved steps by the last observed one, or by zero before the first.

    Values at unobserved steps are never read, even if they are NaN, neither for the result nor for
    the gradient.

    Args:
        sequence: [B, T, C].
        observed: [B, T] bool.

    Returns:
        [B, T, C].
    """
    steps = sequence.shape[1]
    last = torch.where(observed, torch.arange(steps, device=sequence.device), -1)
    # Running maximum by doubling: ONNX has no operator for cummax.
    reach = 1
    while reach < steps:
        last = torch.maximum(last, F.pad(last[:, :-reach], (reach, 0), value=-1))
        reach *= 2
    index = last.clamp_min(0).unsqueeze(-1).expand_as(sequence)
    return sequence.gather(1, index).masked_fill((last < 0).unsqueeze(-1), 0.0)
