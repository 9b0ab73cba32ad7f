"""Conditional distances of sensors, given the other sensors of their machine.

Shapes: D = P V, P sensors of V values each; Q quantiles; W windows of one build; O sensors that are
compared with each other.
"""

from typing import NamedTuple

import torch
from torch import Tensor

QUANTILES = 256
"""The number of quantiles of the held-out scores that are kept for each build."""
_KEPT = 24
"""The most patterns of absent sensors whose matrices are kept."""


class Fitted(NamedTuple):
    """What is fitted to the training windows of one build."""

    mean: Tensor
    """[P, V] of the summaries, in the sensors' units."""
    scale: Tensor
    """[P, V]; the deviation of the summaries."""
    precision: Tensor
    """[D, D]; the shrunk inverse covariance P of the standardised summaries."""
    limit: Tensor
    """[P]; the largest plausible r; infinite for a sensor that training did not show."""
    usual: Tensor
    """[P]; the r that few held-out windows exceed."""
    least_spread: Tensor
    """[P]; the smallest spread of a sensor within any training window."""
    held_out: Tensor
    """[Q]; ascending quantiles of max r_s / limit_s of held-out windows."""

    @property
    def judged(self) -> Tensor:
        """The sensors that training showed, [P] bool."""
        return self.limit.isfinite()

    def standardised(self, value: Tensor, known: Tensor) -> Tensor:
        """Return x for summaries [W, P, V]; 0 where they are not known."""
        return ((value - self.mean) / self.scale).masked_fill(~known, 0.0)

    def typicality(self, score: Tensor) -> Tensor:
        """Return the conformal p-value of scores max r_s / limit_s, [W]; NaN before the fit."""
        fitted = self.held_out.isfinite().sum()
        at_least = (self.held_out >= score.unsqueeze(1)).sum(1)
        return torch.where(fitted > 0, (1 + at_least) / (1 + fitted), torch.nan)

    def excess(self, ratio: Tensor) -> Tensor:
        """Return ln max_s r_s / usual_s, at least 0, of r_s as multiples of the limits, [W]."""
        of_usual = (ratio * self.limit / self.usual).masked_fill(~self.judged, 0.0)
        return of_usual.amax(1).clamp(min=1.0).log()


class _Comparison(NamedTuple):
    """The matrix of one pattern of present sensors."""

    at: Tensor
    """[O]; the positions of the present sensors."""
    root: Tensor
    """[O V, O V]; x times this is L_s (P x)_s with L_sᵀ L_s = P_ss⁻¹, sensor after sensor."""


class Conditionals:
    """Computes the distances r_s (`Plausibility`) of windows of one build.

    The matrices of the latest patterns of absent sensors are kept, because a sensor that is missing
    in one window is usually missing in the next.

    Args:
        fitted: Of the build.
    """

    def __init__(self, fitted: Fitted) -> None:
        self.fitted = fitted
        self._kept: dict[bytes, _Comparison] = {}

    def ratios(self, z: Tensor, present: Tensor) -> Tensor:
        """Return r_s as a multiple of its limit, [W, P]; 0 for a sensor that is not present.

        Args:
            z: [W, P, V]; standardised summaries.
            present: [W, P] bool; the sensors that are compared with each other.
        """
        result = torch.zeros_like(z[..., 0])
        patterns, number = torch.unique(present, dim=0, return_inverse=True)
        for row, pattern in enumerate(patterns):
            if int(pattern.sum()) < 2:  # nothing to compare with
                continue
            own = (number == row).nonzero()
            at, root = self._comparison(pattern)
            values = z[own, at].flatten(1)
            distance = torch.unflatten(values @ root, 1, (len(at), -1))
            result[own, at] = distance.square().mean(2) / self.fitted.limit[at]
        return result

    def expected(self, z: Tensor, present: Tensor, sensor: int) -> Tensor:
        """Return the conditional mean of a sensor's standardised values, [V].

        Args:
            z: [P, V]; standardised summaries of one window.
            present: [P] bool; the sensors that it is expected from, without itself.
            sensor: Its position.
        """
        size = z.shape[1]
        kept = present.clone()
        kept[sensor] = True
        precision = marginal(self.fitted.precision, kept, size)
        values = z.masked_fill(~present.unsqueeze(1), 0.0)[kept].flatten()
        number = int(kept[:sensor].sum())
        part = slice(number * size, (number + 1) * size)
        mean: Tensor = -torch.linalg.solve(precision[part, part], precision[part] @ values)
        return mean

    def _comparison(self, present: Tensor) -> _Comparison:
        key = present.cpu().numpy().tobytes()
        found = self._kept.pop(key, None) or self._compare(present)
        self._kept[key] = found  # the latest is the last
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    def _compare(self, present: Tensor) -> _Comparison:
        at, size = present.nonzero().squeeze(1), len(self.fitted.precision) // len(present)
        shape = (len(at), size)
        precision = torch.unflatten(marginal(self.fitted.precision, present, size), 0, shape)
        blocks = torch.unflatten(precision, 2, shape).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
        lower = torch.linalg.cholesky(blocks)
        # P_ss = A Aᵀ, so P_ss⁻¹ = A⁻ᵀ A⁻¹ and L = A⁻¹.
        roots = torch.linalg.solve_triangular(lower, precision, upper=False)
        return _Comparison(at, roots.flatten(0, 1).T.contiguous())


def marginal(precision: Tensor, present: Tensor, size: int) -> Tensor:
    """Return the precision of the present sensors alone: P_oo − P_om P_mm⁻¹ P_mo."""
    kept = present.repeat_interleave(size)
    if bool(kept.all()):
        return precision
    across = precision[kept][:, ~kept]
    solved: Tensor = torch.linalg.solve(precision[~kept][:, ~kept], across.T)
    return precision[kept][:, kept] - across @ solved
