"""Torch's errors as Python's own, which a process without torch can receive."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_NO_MEMORY = ("can't allocate memory", "CUDA out of memory")
"""What torch says on a CPU and of a GPU; on a CPU its error is a plain RuntimeError."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise `MemoryError` where torch finds no memory, else `RuntimeError`.

    What is free of a GPU's memory is released before.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise MemoryError(str(error)) from error
    except RuntimeError as error:
        kind = MemoryError if any(each in str(error) for each in _NO_MEMORY) else RuntimeError
        raise kind(str(error)) from error
