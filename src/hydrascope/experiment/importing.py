"""Importing what a job needs: seconds, and hundreds of thousands of objects."""

import gc
import sys
from importlib import import_module
from types import ModuleType


def load(name: str) -> ModuleType:
    """Import a module that imports what is heavy, as the first thing that a process does with it.

    What it makes lives as long as the process. The garbage collector, which would look through all
    of it again and again, is kept from it, then and for good.
    """
    if name in sys.modules:
        return sys.modules[name]
    collecting = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
