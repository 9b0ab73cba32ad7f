"""The feature engineer, which extracts the features of sensor windows.

Shapes: `...` any batch axes, n samples, F features.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from hydrascope.features.config import FeatureConfig
from hydrascope.features.frequency import frequency_features
from hydrascope.features.levels import level_features
from hydrascope.features.own import load_features, own_features
from hydrascope.features.patch import patch_features
from hydrascope.features.statistical import statistical_features
from hydrascope.features.temporal import temporal_features
from hydrascope.features.window import prepare_window
from hydrascope.schemas.arguments import checked

_BLOCK = 2**18
"""The most samples that are processed together, so that intermediate results fit into the caches of
a processor's core."""


class FeatureEngineer(nn.Module):
    """Maps samples [..., n] to features [..., F], in the order of `feature_names`.

    NaN and infinite samples are missing. Features that ignore the order are computed over the valid
    samples; others use linear interpolation in gaps and hold the edges. Features are finite even
    for short, constant and empty windows; `observed` tells whether a window has enough samples.

    It works in float32 and float64, on any device, and under `torch.export` with a fixed n. It has
    no parameters; features keep the units of the sensor.
    """

    @checked
    def __init__(self, config: FeatureConfig | None = None) -> None:
        """Use `config`, or the 17 default features."""
        super().__init__()
        _keep_freed_memory()
        self.config = config if config is not None else FeatureConfig()
        self.own = load_features(self.config.own or {})
        self._groups = self.config.groups
        extracted = [name for names in self._groups.values() for name in names]
        self._columns = [extracted.index(name) for name in self.config.names or ()]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of another process, and prepare this one in the same way."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        _keep_freed_memory()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the F features, in the order of extraction."""
        return self.config.sensor_feature_names

    @property
    def num_features(self) -> int:
        """The number F of features."""
        return self.config.sensor_feature_count

    def forward(self, x: Tensor, sampling_rate_hz: float | Tensor) -> Tensor:
        """Extract the features of each window.

        Args:
            x: Samples [..., n] float32 or float64 in the sensor's unit.
            sampling_rate_hz: One rate for all, or a tensor that broadcasts to `...`.

        Returns:
            Features [..., F] of the dtype of `x`, clamped to its range.

        Raises:
            ValueError: `x` is not float32 or float64, or the sampling rate is not positive.
        """
        if not isinstance(x, Tensor) or x.dtype not in (torch.float32, torch.float64):
            found = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"samples are {found}; features take tensors of float32 or float64")
        if not isinstance(sampling_rate_hz, Tensor) and not 0 < sampling_rate_hz < math.inf:
            raise ValueError(f"sampling_rate_hz={sampling_rate_hz} must be positive and finite")
        if x.numel() == 0:
            return x.new_zeros((*x.shape[:-1], self.num_features))

        rate = torch.as_tensor(sampling_rate_hz, dtype=x.dtype, device=x.device)
        if torch.compiler.is_compiling() or x.device.type != "cpu" or x.numel() <= _BLOCK:
            return self._extract(x, rate[..., None])
        rows = max(1, _BLOCK // x.shape[-1])
        blocks = torch.split(x.flatten(0, -2), rows)
        rates = torch.split(rate.expand(x.shape[:-1]).reshape(-1, 1), rows)
        features = [self._extract(*block) for block in zip(blocks, rates, strict=True)]
        return torch.cat(features).reshape(*x.shape[:-1], -1)

    def _extract(self, x: Tensor, rate: Tensor) -> Tensor:
        """Return the features [..., F] of `x` [..., n]; `rate` is broadcastable to [..., 1]."""
        config = self.config
        window = prepare_window(x)
        groups = []
        if "statistical" in self._groups:
            groups.append(statistical_features(window, config.percentiles))
        if "frequency" in self._groups:
            groups.append(frequency_features(window, rate, config.num_frequencies))
        if "temporal" in self._groups:
            groups.append(temporal_features(window, rate, config))
        if "levels" in self._groups:
            groups.append(level_features(window))
        if "own" in self._groups:
            groups.append(own_features(window, rate, self.own))
        if "patch" in self._groups:
            groups.append(patch_features(window.filled, config.patch_length))
        limit = torch.finfo(x.dtype).max
        features = torch.cat(groups, dim=-1).clamp(-limit, limit)
        if not self._columns:
            return features
        return torch.cat([features[..., each : each + 1] for each in self._columns], dim=-1)

    def observed(self, x: Tensor) -> Tensor:
        """Return a mask [...] of the windows of `x` [..., n] with enough finite samples."""
        n = x.shape[-1]
        # A product such as 0.1 · 30 can be just above the whole number, due to rounding.
        needed = max(1, math.ceil(n * self.config.min_valid_fraction - 1e-9))
        return torch.isfinite(x).sum(-1) >= needed


def _keep_freed_memory() -> None:
    """Let this process keep memory that it frees, to be used again.

    By default, glibc returns it to the system from some 100 kB on, and mapping its pages again
    takes as long as the features. The size of the largest block that was ever freed, up to 32 MB,
    raises this bound: see `M_MMAP_THRESHOLD` in mallopt(3). No page of this block is ever touched.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)
