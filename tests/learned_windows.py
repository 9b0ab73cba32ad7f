"""Windows that a detector learns from, of inputs that a test has made itself."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.schemas.task import HeadSpec


class Learned:
    """Windows of machines, as `models.base.LabelledWindows`."""

    def __init__(self, *parts: GraphInputs) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(len(part.graph_id) for part in self._parts)

    def targets(self, head: HeadSpec) -> Tensor:
        raise AssertionError(head)

    def parts(
        self, numbers: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[GraphInputs, Mapping[str, Tensor]]]:
        assert numbers is None
        for part in self._parts:
            yield part, {}
