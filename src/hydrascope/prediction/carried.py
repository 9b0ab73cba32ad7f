"""What all tasks of a run need, carried to each process once."""

import hashlib
import pickle
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_held: dict[str, object] = {}
"""The last content that this process has unpacked, by its digest."""


class Carried(Generic[T]):
    """An object that comes with many tasks and is unpacked once by each process.

    It is packed when it is first sent, by pickle, from a process to its own workers. In the process
    itself it stays the object that it is.

    Args:
        content: The object; must not change.
    """

    def __init__(self, content: T) -> None:
        self.content = content
        self._packed: tuple[str, NDArray[np.uint8]] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Return how it is unpacked; as an array, so that joblib shares it between processes."""
        if self._packed is None:
            packed = pickle.dumps(self.content, protocol=5)
            digest = hashlib.sha256(packed).hexdigest()
            self._packed = digest, np.frombuffer(packed, dtype=np.uint8)
        return _unpacked, self._packed


def _unpacked(digest: str, packed: NDArray[np.uint8]) -> "Carried[object]":
    if digest not in _held:
        _held.clear()
        _held[digest] = pickle.loads(packed.data)
    return Carried(_held[digest])
