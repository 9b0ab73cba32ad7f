"""The feature engineer: one window of a sensor in, its features out, for any batch of windows.

Shapes: `...` any batch axes, n samples, F features.
"""

import math

import torch
from torch import Tensor, nn

from hydrascope.features.config import FeatureConfig
from hydrascope.features.frequency import frequency_features
from hydrascope.features.levels import level_features
from hydrascope.features.patch import patch_features
from hydrascope.features.statistical import statistical_features
from hydrascope.features.temporal import temporal_features
from hydrascope.features.window import prepare_window


class FeatureEngineer(nn.Module):
    """Maps samples [..., n] to features [..., F], in the order of `feature_names`.

    NaN and infinite samples are missing. Order-free features are computed over the valid samples,
    order-dependent ones over the window with its gaps interpolated linearly and its edges held.
    Short, constant and empty windows have defined values: no answer is NaN or infinite. Whether
    enough of a window was there to be believed is `observed`'s to say.

    Works in float32 and float64, on any device, and under `torch.export` with a fixed n. It has no
    parameters; features keep the units of the sensor.
    """

    def __init__(self, config: FeatureConfig | None = None) -> None:
        """`config`: None for the 17 default features."""
        super().__init__()
        self.config = config if config is not None else FeatureConfig()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the F features, in the order in which they are extracted."""
        return self.config.sensor_feature_names

    @property
    def num_features(self) -> int:
        """F."""
        return self.config.sensor_feature_count

    def forward(self, x: Tensor, sampling_rate_hz: float | Tensor) -> Tensor:
        """Extract the features of each window.

        Args:
            x: [..., n] float32 or float64, samples in the sensor's unit.
            sampling_rate_hz: one for all, or a tensor that broadcasts to `...`.

        Returns:
            [..., F], of the dtype of `x`; values beyond the dtype's range are clamped to it.

        Raises:
            ValueError: `x` is not float32 or float64, or the sampling rate is not positive.

        """
        if x.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"samples are {x.dtype}; features take float32 or float64")
        if not isinstance(sampling_rate_hz, Tensor) and not 0 < sampling_rate_hz < math.inf:
            raise ValueError(f"sampling_rate_hz={sampling_rate_hz} must be positive and finite")
        if x.numel() == 0:
            return x.new_zeros((*x.shape[:-1], self.num_features))

        config = self.config
        rate = torch.as_tensor(sampling_rate_hz, dtype=x.dtype, device=x.device)[..., None]
        window = prepare_window(x)
        groups = []
        if config.use_statistical:
            groups.append(statistical_features(window, config.percentiles))
        if config.use_frequency:
            groups.append(frequency_features(window, rate, config.num_frequencies))
        if config.use_temporal:
            groups.append(
                temporal_features(
                    window,
                    rate,
                    window_sizes=config.window_sizes,
                    ema_span=config.ema_span,
                    lags=config.autocorrelation_lags,
                )
            )
        if config.levels:
            groups.append(level_features(window))
        if config.patch:
            groups.append(patch_features(window.filled, config.patch_length))
        limit = torch.finfo(x.dtype).max
        return torch.cat(groups, dim=-1).clamp(-limit, limit)

    def observed(self, x: Tensor) -> Tensor:
        """Return [...] bool: whether enough of the samples `x` [..., n] are finite."""
        n = x.shape[-1]
        # A product such as 0.1 · 30 may come out a rounding error above the whole number it is.
        needed = max(1, math.ceil(n * self.config.min_valid_fraction - 1e-9))
        return torch.isfinite(x).sum(-1) >= needed
