"""The evidence that each sensor gives in a window, beside what it gives in healthy ones.

Shapes: W windows, S sensors, T steps.
"""

from typing import NamedTuple

import torch
from torch import Tensor

EVIDENCE = ("change", "level", "mean", "spread")
"""The columns of the evidence. `change` and `level`: the sensor's shares of the machine's score, as
logarithms of multiples of what healthy windows reach. `mean` and `spread`: how far the sensor's own
mean and standard deviation are from those of healthy windows, with their sign."""
SHARES = 2
"""The number of shares, which come first."""
_REACHED = 0.95
"""The quantile of the shares in healthy windows that counts as 1."""
_LEAST = 1e-3
"""The smallest multiple that is told apart."""


def raw_evidence(parts: Tensor, mean: Tensor, spread: Tensor, observed: Tensor) -> Tensor:
    """Return the evidence of sensors before it is compared with healthy windows, [S, 4].

    Args:
        parts: The parts of the sensors' scores, as of `Normality.parts`, [S, 3].
        mean: The normalised mean of each step, [S, T].
        spread: The normalised standard deviation within each step, [S, T].
        observed: Whether the step was observed, [S, T] bool.

    Returns:
        `EVIDENCE`; NaN for a sensor without an observed step.
    """
    shares, scored = parts[:, :SHARES], parts[:, SHARES:]
    steps = observed.sum(1, keepdim=True)
    both = torch.stack([mean, spread], dim=-1).masked_fill(~observed.unsqueeze(-1), 0.0)
    own = both.sum(1) / steps.clamp(min=1)
    evidence = torch.cat([shares / scored.clamp(min=1.0), own], dim=-1)
    return evidence.masked_fill((steps == 0) | (scored == 0), torch.nan)


class HealthyEvidence(NamedTuple):
    """The scale of the evidence, from healthy windows that no training has seen."""

    reached: Tensor
    """The 0.95 quantile of the shares, [S, 2]."""
    usual: Tensor
    """The mean of the other columns, [S, 2]."""
    scatter: Tensor
    """Their standard deviation, [S, 2]."""

    @classmethod
    def of(cls, held_out: Tensor) -> "HealthyEvidence":
        """Return that of held-out healthy windows.

        Args:
            held_out: `raw_evidence` of W windows of one machine or build, [W, S, 4]; NaN where a
                sensor was not observed.
        """
        shares, own = held_out[..., :SHARES], held_out[..., SHARES:]
        usual = own.nanmean(0)
        scatter = (own - usual).square().nanmean(0).sqrt()
        return cls(shares.nanquantile(_REACHED, dim=0), usual, scatter)

    def compare(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return the evidence [W, S, 4] and whether the sensor was observed, [W, S].

        Shares become log(share / reached), the others the inverse hyperbolic sine of standard
        deviations, which is linear near 0 and grows like a logarithm far from it. Where a sensor
        was not observed, in this window or in any healthy one, the evidence is 0.
        """
        multiple = raw[..., :SHARES] / self.reached.clamp(min=1e-9)
        sigmas = (raw[..., SHARES:] - self.usual) / self.scatter.clamp(min=1e-6)
        evidence = torch.cat([(multiple + _LEAST).log(), sigmas.asinh()], dim=-1)
        seen = evidence.isfinite().all(-1)
        return evidence.masked_fill(~seen.unsqueeze(-1), 0.0), seen
