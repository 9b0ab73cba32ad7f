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
    known: dict[int, Runs] = {1: (signal, None)}
    for size in sizes:
        variance = _runs(size, known)[1]
        yield torch.zeros_like(signal) if variance is None else variance


def _runs(size: int, known: dict[int, Runs]) -> Runs:
    """Return the runs of `size` samples, and add them and their parts to the `known` ones.

    This is no closure: one that calls itself is a reference cycle, which would keep the memory of
    all runs until Python's garbage collection.
    """
    if size not in known:
        part = max(each for each in known if each < size)
        while 2 * part < size:
            part *= 2
        known[size] = _join(_runs(part, known), part, _runs(size - part, known), size - part)
    return known[size]


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
