"""Missing samples filled, outliers made missing: before any feature is computed.

Shapes: `...` any batch axes, n samples. NaN and infinite samples are missing; nothing here changes
the tensor that it is given.
"""

import torch
from torch import Tensor

from hydrascope.features.config import CleaningConfig, Fill
from hydrascope.features.window import interpolate

_NORMAL_QUARTILE = 0.6745
"""Third quartile of the standard normal distribution: a MAD is that many standard deviations."""


def clean(x: Tensor, config: CleaningConfig, rate_hz: float) -> Tensor:
    """Return `x` [..., n], outliers removed first, then gaps filled.

    Args:
        x: Samples of whole windows: what is usual is judged within each.
        config: What is done.
        rate_hz: Of the samples.
    """
    if config.outlier_threshold is not None:
        x = without_outliers(x, config.outlier_threshold)
    if config.fill is Fill.MASK:
        return x
    # A product such as 0.3 · 10 may come out a rounding error below the whole number it is.
    gap = None if config.max_gap_s is None else int(config.max_gap_s * rate_hz + 1e-6)
    return fill_gaps(x, config.fill, gap)


def without_outliers(x: Tensor, threshold: float) -> Tensor:
    """Return `x` [..., n] with NaN where |modified z-score| > `threshold`.

    The score is 0.6745 · (x − median) / MAD, with MAD = median |x − median| over the valid samples
    along the last axis; 3.5 is the usual threshold (B. Iglewicz, D. Hoaglin: How to Detect and
    Handle Outliers, ASQC, 1993).

    Where more than half of the samples are equal, MAD is 0 and tells nothing of the spread: then
    nothing is an outlier, or else every switching of an on-off signal would be one.
    """
    distance = (x - _median(x)).abs()
    mad = _median(distance)
    outlier = (_NORMAL_QUARTILE * distance > threshold * mad) & (mad > 0)
    return torch.where(outlier, torch.nan, x)


def fill_gaps(x: Tensor, fill: Fill, max_gap: int | None) -> Tensor:
    """Return `x` [..., n] with gaps of at most `max_gap` samples filled, longer ones left whole.

    Args:
        x: Samples.
        fill: FORWARD repeats the last sample before a gap, BACKWARD the first after it,
            INTERPOLATE draws the line between the two; MASK fills nothing. A gap at an edge is
            filled only from a sample that there is: never by INTERPOLATE.
        max_gap: Longest gap that is filled, in samples; None: any.
    """
    n = x.shape[-1]
    if fill is Fill.MASK or n == 0:
        return x
    valid = torch.isfinite(x)
    position = torch.arange(n, device=x.device)
    left = torch.where(valid, position, -1).cummax(-1).values
    right = torch.where(valid, position, n).flip(-1).cummin(-1).values.flip(-1)
    short = right - left - 1 <= (n if max_gap is None else max_gap)
    has_left, has_right = left >= 0, right < n
    before, after = x.gather(-1, left.clamp(min=0)), x.gather(-1, right.clamp(max=n - 1))
    match fill:
        case Fill.FORWARD:
            known, value = has_left, before
        case Fill.BACKWARD:
            known, value = has_right, after
        case Fill.INTERPOLATE:
            known = has_left & has_right
            weight = (position - left).to(x.dtype) / (right - left).clamp(min=1)
            value = interpolate(before, after, weight)
    missing = torch.where(known & short, value, torch.nan)
    return torch.where(valid, x, missing)


def _median(x: Tensor) -> Tensor:
    """Return [..., 1], the mean of the two middle valid samples; NaN where there are none."""
    if x.shape[-1] == 0:
        return x.new_full((*x.shape[:-1], 1), torch.nan)
    valid = torch.isfinite(x)
    count = valid.sum(-1, keepdim=True)
    ordered = torch.where(valid, x, torch.inf).sort(-1).values
    low = ordered.gather(-1, ((count - 1) // 2).clamp(min=0))
    high = ordered.gather(-1, (count // 2).clamp(max=x.shape[-1] - 1))
    # Halved first: the sum of two huge numbers would overflow.
    return torch.where(count > 0, low / 2 + high / 2, torch.nan)
