"""Balancing of the losses of several heads."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hydrascope.schemas.task import HeadKind, HeadSpec

Balancing = Literal["fixed", "uncertainty", "upgrad"]


class LossBalance(nn.Module):
    """Balances the weighted losses of the heads.

    `fixed` keeps them as they are. `uncertainty` weighs them by learned noise (A. Kendall et al.,
    "Multi-Task Learning Using Uncertainty to Weigh Losses", CVPR 2018), with s = log σ² per head:

        Σ_k c_k exp(−s_k) L_k + s_k / 2,   c = ½ for a regression, 1 for classes.

    `upgrad` keeps the losses separate and combines their gradients so that no loss increases (P.
    Quinton, V. Rey, "Jacobian Descent for Multi-Objective Optimization", 2024); see
    `backward_apart`.

    Args:
        heads: The K heads.
        balancing: The method.
    """

    factor: Tensor

    def __init__(self, heads: Sequence[HeadSpec], balancing: Balancing) -> None:
        super().__init__()
        self.apart = balancing == "upgrad"
        weight = torch.tensor([head.weight for head in heads])
        if balancing == "uncertainty":
            self.log_variance = nn.Parameter(torch.zeros(len(heads)))
            regression = torch.tensor([head.kind is HeadKind.REGRESSION for head in heads])
            weight = torch.where(regression, 0.5, 1.0) * weight
        else:
            self.register_parameter("log_variance", None)
        self.register_buffer("factor", weight, persistent=False)

    def forward(self, losses: Tensor, counted: Tensor) -> Tensor:
        """Return each head's term of the total: [K], [K] bool -> [K]; 0 without labels."""
        balanced = self.factor * losses
        if self.log_variance is not None:
            balanced = (-self.log_variance).exp() * balanced + 0.5 * self.log_variance
        return balanced * counted


def backward_apart(losses: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """Set the parameters' gradients from separate losses [K] by UPGrad (TorchJD)."""
    from torchjd.aggregation import UPGrad
    from torchjd.autojac import backward, jac_to_grad

    # One loss at a time: a batched backward pass does not support all operators.
    backward(losses, inputs=parameters, parallel_chunk_size=1)
    jac_to_grad([p for p in parameters if getattr(p, "jac", None) is not None], UPGrad())
