"""Closed-form solutions: leave-group-out scores and the Gaussian discriminant.

Shapes: n rows, C classes, S scores, m rows per group.
"""

import torch
from torch import Tensor


def leave_group_out(inverse: Tensor, targets: Tensor, size: int) -> Tensor:
    """Return the scores of each group by a ridge regression fitted without it, [n, C].

    With A = (K + Λ)⁻¹ and α = A Y, the scores of group B are Y_B − (A_BB)⁻¹ α_B. This is the
    leave-one-out identity in blocks (C. Rasmussen, C. Williams, "Gaussian Processes for Machine
    Learning", 2006, eq. 5.12).

    Args:
        inverse: A, [n, n].
        targets: Y, [n, C].
        size: m; rows 0 … m−1 are the first group, the next m the second, and so on.
    """
    groups = inverse.shape[0] // size
    number = torch.arange(groups, device=inverse.device)
    blocks = inverse.reshape(groups, size, groups, size)[number, :, number, :]
    alpha = (inverse @ targets).reshape(groups, size, -1)
    left_out: Tensor = targets - torch.linalg.solve(blocks, alpha).flatten(0, 1)
    return left_out


def discriminant(
    scores: Tensor, label: Tensor, weight: Tensor, classes: int, shrinkage: float
) -> tuple[Tensor, Tensor]:
    """Fit Gaussians with a common covariance; return w [S, C] and b [C] of logits s @ w + b.

        w_c = Σ⁻¹ μ_c,   b_c = −½ μ_cᵀ Σ⁻¹ μ_c

    Σ is the weighted covariance within classes, with `shrinkage` times its mean variance added to
    the diagonal. All classes have the same prior probability.

    Args:
        scores: s, [n, S].
        label: [n] int64; every class occurs.
        weight: [n], not negative.
        classes: C.
        shrinkage: The share of the mean variance that is added to each variance.
    """
    member = torch.nn.functional.one_hot(label, classes).to(scores.dtype) * weight.unsqueeze(1)
    mean = (member.T @ scores) / member.sum(0).unsqueeze(1)
    deviation = scores - mean[label]
    covariance = (deviation * weight.unsqueeze(1)).T @ deviation / weight.sum()
    size = scores.shape[1]
    ridge = shrinkage * covariance.diagonal().sum() / size
    covariance = covariance + ridge * torch.eye(size, dtype=scores.dtype, device=scores.device)
    solved = torch.linalg.solve(covariance, mean.T)
    return solved, -0.5 * (mean.T * solved).sum(0)
