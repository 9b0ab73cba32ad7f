"""Rolling variance without the cancellation of running sums.

Shapes: `...` any batch axes, n samples, w window size.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

Runs = tuple[Tensor, Tensor | None]
"""The mean and variance [..., n - w + 1] of each run of w samples; None: all variances are 0."""


def rolling_variances(signal: Tensor, sizes: Sequence[int]) -> Iterator[Tensor]:
    """Yield the population variances [..., n - w + 1] of all runs of w samples, for each size w.

    Long runs are joined from short ones by the pairwise rule of Chan, Golub & LeVeque (Updating
    formulae and a pairwise algorithm for computing sample variances, 1979), in O(n log w): for
    parts of a and b samples with means and variances (μₐ, vₐ), (μ_b, v_b),

        μ = (a μₐ + b μ_b) / (a + b),   v = (a vₐ + b v_b) / (a + b) + a b ((μₐ - μ_b) / (a + b))².

    No term is negative, so this is accurate even for a small ripple on a large swing in float32,
    where differences of cumulative sums lose all digits. Each size (at most n) reuses the runs of
    previous sizes.
    """
    runs_of: dict[int, Runs] = {1: (signal, None)}

    def runs(size: int) -> Runs:
        if size not in runs_of:
            part = max(known for known in runs_of if known < size)
            while 2 * part < size:
                part *= 2
            runs_of[size] = _join(runs(part), part, runs(size - part), size - part)
        return runs_of[size]

    for size in sizes:
        variance = runs(size)[1]
        yield torch.zeros_like(signal) if variance is None else variance


def _join(first: Runs, a: int, second: Runs, b: int) -> Runs:
    """Join each run of `a` samples with the run of `b` ≤ `a` samples that follows it."""
    (mean_a, variance_a), (mean_b, variance_b) = first, second
    places = mean_a.shape[-1] - b
    mean_a, mean_b = mean_a[..., :places], mean_b[..., a : a + places]
    share_b = b / (a + b)
    mean = torch.lerp(mean_a, mean_b, share_b)
    difference = mean_a - mean_b
    if variance_a is None:
        return mean, difference.square_().mul_(share_b * (1 - share_b))
    if variance_b is None:
        within = variance_a[..., :places] * (1 - share_b)
    else:
        within = torch.lerp(variance_a[..., :places], variance_b[..., a : a + places], share_b)
    return mean, within.addcmul_(difference, difference, value=share_b * (1 - share_b))
