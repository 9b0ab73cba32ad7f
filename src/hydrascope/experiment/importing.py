"""Importing what a job needs: seconds, and hundreds of thousands of objects."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


def load(name: str) -> ModuleType:
    """Import the module of a job, which imports what is heavy, unless this has been done."""
    if name in sys.modules:
        return sys.modules[name]
    with uncollected():
        return import_module(name)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector off all that is made until the end of this, then and for good.

    What imports make lives as long as the process. Looking through it again and again takes the
    collector a third of the time that they take. Garbage of before stays too: only for a start.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
