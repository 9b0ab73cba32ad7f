"""How the losses of several heads become one."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hydrascope.schemas.task import HeadKind, HeadSpec

Balancing = Literal["fixed", "uncertainty", "upgrad"]


class LossBalance(nn.Module):
    """The heads' weighted losses, balanced.

    `fixed`: as they are. `uncertainty`: by their learned noise (A. Kendall et al., "Multi-Task
    Learning Using Uncertainty to Weigh Losses", CVPR 2018), with s = log σ² a head,

        Σ_k c_k exp(−s_k) L_k + s_k / 2,   c = ½ for a regression, 1 for classes.

    `upgrad`: the losses stay apart, and their gradients are joined such that none of them grows
    (P. Quinton, V. Rey, "Jacobian Descent for Multi-Objective Optimization", 2024); see
    `backward_apart`.

    Args:
        heads: K heads.
        balancing: How.
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
        """[K], [K] bool -> what each head adds to the total, [K]; 0 where nothing is labelled."""
        balanced = self.factor * losses
        if self.log_variance is not None:
            balanced = (-self.log_variance).exp() * balanced + 0.5 * self.log_variance
        return balanced * counted


def backward_apart(losses: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """Set the parameters' gradients from losses that are kept apart, [K], by UPGrad (TorchJD)."""
    from torchjd.aggregation import UPGrad
    from torchjd.autojac import backward, jac_to_grad

    # One loss after the other: a batched backward pass knows not all operators.
    backward(losses, inputs=parameters, parallel_chunk_size=1)
    jac_to_grad([p for p in parameters if getattr(p, "jac", None) is not None], UPGrad())
