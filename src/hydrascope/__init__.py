"""Hydrascope: diagnose hydraulic machines with graph networks."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydrascope.notebook import FrameDiagnoser, load

__version__ = "0.1.0"
__all__ = ["FrameDiagnoser", "__version__", "load"]


def __getattr__(name: str) -> object:
    """Import what notebooks use once it is asked for: it takes torch, and seconds."""
    if name in __all__:
        found: object = getattr(import_module("hydrascope.notebook"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
