"""Bring features to zero mean and unit variance, by the statistics of the training windows."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class FeatureNormalizer(nn.Module):
    """z = (x − mean) / std, one row of statistics per sensor slot and feature.

    With `per_step` each step has its own row too: where a window is aligned with a repeating load
    cycle, what a fault changes is small beside what the cycle does, and would drown in a common
    variance.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, slots: int, steps: int, features: int, per_step: bool, clip: float) -> None:
        super().__init__()
        self.per_step, self.clip = per_step, clip
        shape = (slots, steps if per_step else 1, features)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    @torch.no_grad()
    def fit(self, parts: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Estimate all statistics from training windows, one machine at a time.

        Machines that share slots share statistics; partial moments are merged as in Chan, Golub &
        LeVeque (1983), in float64. A row that was never observed keeps mean 0 and std 1.

        Args:
            parts: For each machine its slots [S] int64, features [W, S, T, F] and observed
                [W, S, T] bool; unobserved steps do not count.
        """
        mean = torch.zeros_like(self.mean, dtype=torch.float64)
        count, squares = torch.zeros_like(mean), torch.zeros_like(mean)
        dims = (0,) if self.per_step else (0, 2)
        for slot, features, observed in parts:
            weight = observed.to(torch.float64).unsqueeze(-1)
            features = torch.where(observed.unsqueeze(-1), features, 0.0)
            n = weight.sum(dims, keepdim=True)
            m = (features * weight).sum(dims, keepdim=True) / n.clamp(min=1.0)
            q = ((features - m).square() * weight).sum(dims, keepdim=True)
            n, m, q = n.squeeze(0), m.squeeze(0), q.squeeze(0)
            total = (count[slot] + n).clamp(min=1.0)
            shift = m - mean[slot]
            mean[slot] += shift * n / total
            squares[slot] += q + shift.square() * count[slot] * n / total
            count[slot] += n
        std = (squares / count.clamp(min=1.0)).sqrt()
        # A feature that did not vary in training (rounding aside) is centred, not blown up.
        std = torch.where(std > 1e-6 * (1.0 + mean.abs()), std, 1.0)
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, features: Tensor, observed: Tensor, slot: Tensor) -> Tensor:
        """Normalise [S, T, F]; unobserved steps become 0, the mean, and stay masked."""
        z = (features - self.mean[slot]) / self.std[slot]
        return torch.where(observed.unsqueeze(-1), z.clamp(-self.clip, self.clip), 0.0)
