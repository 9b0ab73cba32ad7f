"""Torch's errors as built-in ones, which a process without torch can unpickle."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_OUT_OF_MEMORY = ("can't allocate memory", "CUDA out of memory")
"""Torch's messages on a CPU and on a GPU; on a CPU the error is a plain RuntimeError."""


@contextmanager
def builtin_errors() -> Iterator[None]:
    """Raise `MemoryError` where torch runs out of memory, else `RuntimeError`.

    Releases torch's cache of a GPU's memory first.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise MemoryError(str(error)) from error
    except RuntimeError as error:
        kind = MemoryError if any(each in str(error) for each in _OUT_OF_MEMORY) else RuntimeError
        raise kind(str(error)) from error
