"""What a model says about the fitness of its input, for many windows of a machine."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.notebook.answer_table import rows_of
from hydrascope.schemas import fitness
from hydrascope.schemas.fitness import PREFIX, SensorState
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import HeadSpec
from hydrascope.serving.diagnosis.fitness import (
    Arrays,
    InputFitness,
    are_reliable,
    input_fitness,
    trust_in,
)


class Judged:
    """The fitness of W windows; words are made only for windows that give reason to.

    Args:
        machine: Their machine.
        numbers: What the model says, by name; entries of `schemas.fitness` only if it judges its
            input.
        windows: W.
        window_s: Their length.
    """

    def __init__(
        self, machine: Machine, numbers: Mapping[str, NDArray[Any]], windows: int, window_s: float
    ) -> None:
        self.windows = windows
        self._machine, self._window_s = machine, window_s
        self._numbers = {name: x for name, x in numbers.items() if name.startswith(PREFIX)}
        self._summary = lru_cache(maxsize=None)(self._summarised)

    @property
    def unlike(self) -> NDArray[np.object_]:
        """Whether each window is unlike the training data, [W]; None if that is not judged."""
        found = np.full(self.windows, None, dtype=object)
        if self._numbers:
            found[:] = self._numbers[fitness.UNLIKE][:, 0] != 0
        return found

    @property
    def unusable(self) -> NDArray[np.object_]:
        """The sensors that the answers to each window do without, [W]; None without any."""
        found = np.full(self.windows, None, dtype=object)
        if self._numbers:
            states = self._numbers[fitness.STATE].reshape(self.windows, -1)
            for window in np.flatnonzero((states != SensorState.SOUND).any(1)).tolist():
                _, summary = self._summary(window)
                found[window] = ", ".join(sorted(summary.sensors)) or None
        return found

    def trust(
        self, head: HeadSpec, rows: Sequence[int], least: float
    ) -> tuple[NDArray[np.float64], NDArray[np.object_], NDArray[np.object_]]:
        """Return how far answers of a head can be trusted, [W, rows] each.

        Args:
            head: That answered.
            rows: The positions of the components, 0 for the machine.
            least: The probability of being right from which an answer is reliable.

        Returns:
            The probability that an answer is right, NaN if that is not judged; whether it is
            reliable, and why not, or None.
        """
        shape = (self.windows, len(rows))
        reasons = np.full(shape, None, dtype=object)
        if fitness.right(head.name) not in self._numbers:
            return np.full(shape, np.nan), reasons, reasons
        right = self._numbers[fitness.right(head.name)].reshape(self.windows, -1)[:, rows]
        reliable = are_reliable(right, least)
        for window, place in np.argwhere(~reliable).tolist():
            found, summary = self._summary(window)
            trust = trust_in(head, rows[place], least, found, summary)
            assert trust is not None
            reasons[window, place] = "; ".join(trust.reasons) or None
        return right.astype(np.float64), reliable.astype(object), reasons

    def _summarised(self, window: int) -> tuple[Arrays, InputFitness]:
        found = {name: rows_of(x, window, self.windows)[:, 0] for name, x in self._numbers.items()}
        summary = input_fitness(self._machine, found, self._window_s)
        assert summary is not None
        return found, summary
