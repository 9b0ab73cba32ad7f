"""Memory for batches that is used again, because new memory costs more than to fill it.

The first write to each page of new memory is a fault that the system answers with a page of zeros:
of a batch of 1.3 MB that takes longer than the gather itself.
"""

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEPT = 16
"""Buffers kept: four fields of the batch in use, of the one being made, and of evaluations."""


class BufferPool:
    """Hands out arrays; takes their memory back when nothing refers to it any more.

    A tensor made of such an array, and every view of it, holds a reference to its buffer. So the
    reference count says whether a batch is still in use, and none is ever overwritten. A pool
    pickles as an empty one.
    """

    def __init__(self) -> None:
        self._buffers: list[NDArray[np.uint8]] = []
        self._lengths: list[int] = []

    def __reduce__(self) -> tuple[type["BufferPool"], tuple[()]]:
        return BufferPool, ()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array of any content."""
        size = math.prod(shape) * dtype.itemsize
        buffer = self._free_buffer(size)
        if buffer is None:
            buffer = np.empty(size, np.uint8)
            self._keep(buffer)
        return buffer[:size].view(dtype).reshape(shape)

    def _free_buffer(self, size: int) -> NDArray[np.uint8] | None:
        for position, length in enumerate(self._lengths):
            # Not so large that a small batch would hold the memory of a large one.
            if size <= length <= 2 * size and _references(self._buffers, position) == _UNUSED:
                return self._buffers[position]
        return None

    def _keep(self, buffer: NDArray[np.uint8]) -> None:
        if len(self._buffers) == _KEPT:
            # The oldest; who still uses it keeps it alive.
            del self._buffers[0], self._lengths[0]
        self._buffers.append(buffer)
        self._lengths.append(len(buffer))


def _references(buffers: list[NDArray[np.uint8]], position: int) -> int:
    return sys.getrefcount(buffers[position])


_UNUSED = _references([np.empty(1, np.uint8)], 0)
"""References to a buffer that only the list holds; how Python counts its own differs by version."""
