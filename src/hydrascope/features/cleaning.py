"""Removal of outliers and filling of gaps, before features are computed.

Shapes: `...` any batch axes, n samples. NaN and infinite samples are missing. Input tensors are not
changed.
"""

import torch
from torch import Tensor

from hydrascope.features.config import CleaningConfig, Fill
from hydrascope.features.filling import interpolate

_NORMAL_QUARTILE = 0.6745
"""The third quartile of the standard normal distribution: a MAD is 0.6745 standard deviations."""


def clean(x: Tensor, config: CleaningConfig, rate_hz: float) -> Tensor:
    """Remove outliers from `x` [..., n], then fill gaps.

    Args:
        x: Samples of whole windows; outliers are relative to their window.
        config: Settings of the cleaning.
        rate_hz: Rate of the samples.
    """
    if config.outlier_threshold is not None:
        x = without_outliers(x, config.outlier_threshold)
    if config.fill is Fill.MASK:
        return x
    # A product such as 0.3 · 10 can be just below the whole number, due to rounding.
    gap = None if config.max_gap_s is None else int(config.max_gap_s * rate_hz + 1e-6)
    return fill_gaps(x, config.fill, gap)


def without_outliers(x: Tensor, threshold: float) -> Tensor:
    """Return `x` [..., n] with NaN where |modified z-score| > `threshold`.

    The score is 0.6745 · (x − median) / MAD, with MAD = median |x − median| over the valid samples
    along the last axis; 3.5 is the usual threshold (B. Iglewicz, D. Hoaglin: How to Detect and
    Handle Outliers, ASQC, 1993).

    If more than half of the samples are equal, MAD is 0 and does not measure the spread. Then there
    are no outliers; otherwise, every change of an on-off signal would be one.
    """
    distance = (x - _median(x)).abs()
    mad = _median(distance)
    outlier = (_NORMAL_QUARTILE * distance > threshold * mad) & (mad > 0)
    return torch.where(outlier, torch.nan, x)


def fill_gaps(x: Tensor, fill: Fill, max_gap: int | None) -> Tensor:
    """Return `x` [..., n] with gaps of at most `max_gap` samples filled.

    Args:
        x: Samples.
        fill: FORWARD repeats the last sample before a gap, BACKWARD the first one after it, and
            INTERPOLATE is linear between the two; MASK fills nothing. A gap at an edge is filled
            only if the required sample exists, so never by INTERPOLATE.
        max_gap: Longest gap to fill, in samples; None: any.
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
    """Return the median [..., 1] of the valid samples, or NaN without any."""
    if x.shape[-1] == 0:
        return x.new_full((*x.shape[:-1], 1), torch.nan)
    valid = torch.isfinite(x)
    count = valid.sum(-1, keepdim=True)
    ordered = torch.where(valid, x, torch.inf).sort(-1).values
    low = ordered.gather(-1, ((count - 1) // 2).clamp(min=0))
    high = ordered.gather(-1, (count // 2).clamp(max=x.shape[-1] - 1))
    # Halved first, since the sum of two huge numbers could overflow.
    return torch.where(count > 0, low / 2 + high / 2, torch.nan)
