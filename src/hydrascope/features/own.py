"""The user's own features: a function for each, named by its import path.

Shapes: `...` any batch axes, n samples.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from hydrascope.features.window import Window
from hydrascope.schemas.errors import SpecError

FeatureFunction = Callable[[Tensor, Tensor], Tensor]
"""Maps samples [..., n] without gaps, in the sensor's unit, and their rate in Hz, broadcastable to
[..., 1], to the feature [...]."""


def load_features(paths: Mapping[str, str]) -> dict[str, FeatureFunction]:
    """Import the functions of features by name.

    Raises:
        SpecError: There is no such module or function.
    """
    return {name: _load(name, path) for name, path in paths.items()}


def own_features(
    window: Window, sampling_rate_hz: Tensor, functions: Mapping[str, FeatureFunction]
) -> Tensor:
    """Return the features [..., O] of O functions; NaN becomes 0.

    Raises:
        SpecError: A function does not return one number for each window.
    """
    shape = window.filled.shape[:-1]
    features = []
    for name, function in functions.items():
        feature = function(window.filled, sampling_rate_hz)
        if not isinstance(feature, Tensor) or feature.shape != shape:
            made = list(feature.shape) if isinstance(feature, Tensor) else type(feature).__name__
            raise SpecError(
                f"returns {made} for samples {list(window.filled.shape)}; expected a tensor "
                f"{list(shape)}, one number for each window",
                path=f"features.own.{name}",
            )
        features.append(feature.to(window.filled.dtype).nan_to_num(nan=0.0))
    return torch.stack(features, dim=-1)


def source_digests(functions: Mapping[str, FeatureFunction]) -> dict[str, str]:
    """Return a hash of the file of each function, so that stores follow its changes."""
    digests = {}
    for name, function in functions.items():
        file = inspect.getsourcefile(function)
        content = Path(file).read_bytes() if file else repr(function).encode()
        digests[name] = hashlib.sha256(content).hexdigest()[:16]
    return digests


def _load(name: str, path: str) -> FeatureFunction:
    module, _, attribute = path.rpartition(".")
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SpecError(
            f"{path!r} cannot be imported ({error}); expected MODULE.FUNCTION, as in "
            "my_features.crest",
            path=f"features.own.{name}",
        ) from None
    if not inspect.isfunction(function):
        raise SpecError(f"{path!r} is not a function", path=f"features.own.{name}")
    found: FeatureFunction = function
    return found
