"""The weights of the networks that blame components, which the package brings."""

from importlib import resources

from safetensors.torch import load
from torch import Tensor

_FILE = resources.files("hydrascope") / "assets" / "blame" / "blame.safetensors"


def packaged_weights() -> dict[str, Tensor]:
    """Return the state of `Blame.networks`, written by `python -m benchmarks blame --write`."""
    return load(_FILE.read_bytes())
