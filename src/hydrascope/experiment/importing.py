"""Importing a job's modules, which takes seconds and creates hundreds of thousands of objects."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

JOB_IMPORTS = "hydrascope.experiment.job_imports"
"""The module that imports all that a training needs."""


def load(name: str) -> ModuleType:
    """Import the module of a job and its heavy dependencies, or return it if already imported."""
    if name in sys.modules:
        return sys.modules[name]
    with uncollected():
        return import_module(name)


@contextmanager
def uncollected() -> Iterator[None]:
    """Exclude all objects that are created within this context from garbage collection, for good.

    Imported objects live as long as the process. Scanning them repeatedly would add a third to the
    time of the imports. Earlier garbage is kept too, so use this only when a process starts.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
