"""The schedule of the learning rate."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class WarmupCosine:
    """Linear warm-up from 0 over `warmup_fraction` of the steps, then a cosine to `final_fraction`.

    I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, one cycle without restarts.
    """

    warmup_fraction: float
    final_fraction: float

    def over(self, steps: int) -> Callable[[int], float]:
        """Return a function from the step to the factor of the learning rate, for `steps` steps."""
        warmup = max(1, round(steps * self.warmup_fraction))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            progress = min(1.0, (step - warmup) / max(1, steps - warmup))
            cosine = 0.5 * (1.0 + math.cos(math.pi * progress))
            return self.final_fraction + (1.0 - self.final_fraction) * cosine

        return factor
