"""Reusable memory for batches.

The first write to each page of new memory causes a page fault, and the system zeroes the page. For
a batch of 1.3 MB, this takes longer than the gather itself.
"""

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEPT = 16
"""The number of buffers: four fields each for the batch in use, the next one and evaluations."""


class BufferPool:
    """Provides arrays and reuses their memory once nothing refers to it.

    A tensor made from such an array, and every view of it, holds a reference to the buffer. The
    reference count thus shows whether a batch is in use, and none is overwritten. A pool pickles
    as an empty pool.
    """

    def __init__(self) -> None:
        self._buffers: list[NDArray[np.uint8]] = []
        self._lengths: list[int] = []

    def __reduce__(self) -> tuple[type["BufferPool"], tuple[()]]:
        return BufferPool, ()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an uninitialised array."""
        size = math.prod(shape) * dtype.itemsize
        buffer = self._free_buffer(size)
        if buffer is None:
            buffer = np.empty(size, np.uint8)
            self._keep(buffer)
        return buffer[:size].view(dtype).reshape(shape)

    def _free_buffer(self, size: int) -> NDArray[np.uint8] | None:
        for position, length in enumerate(self._lengths):
            # A small batch must not hold the memory of a large one.
            if size <= length <= 2 * size and _references(self._buffers, position) == _UNUSED:
                return self._buffers[position]
        return None

    def _keep(self, buffer: NDArray[np.uint8]) -> None:
        if len(self._buffers) == _KEPT:
            # Drop the oldest; if it is in use, its references keep it alive.
            del self._buffers[0], self._lengths[0]
        self._buffers.append(buffer)
        self._lengths.append(len(buffer))


def _references(buffers: list[NDArray[np.uint8]], position: int) -> int:
    return sys.getrefcount(buffers[position])


_UNUSED = _references([np.empty(1, np.uint8)], 0)
"""The reference count of an unused buffer, which depends on the version of Python."""
