"""The rigs of the demo: recorded load cycles, sent as if they happened now."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tests.support.watched_rigs import Part, cycle, rig, telemetry

from hydrascope.schemas import Machine
from hydrascope.telemetry.zema import ZemaSource
from hydrascope.telemetry.zema_recording import CYCLE_S, LABEL_VALUES, load_embedded

RIGS = 12
QUIET = 24
"""Windows before the first one that is sent live; all rigs are sound."""
FAST = 12
"""Windows that begin in the past and are sent faster than real time."""
_SOUND = {"cooler": 100, "valve": 100, "pump": 0, "accumulator": 130, "stable": 0}


class Stage(NamedTuple):
    """A grade of a fault."""

    window: int
    """The first window that has it."""
    grade: int
    """Value of the label, as the rig's recording has it."""


class Fault(NamedTuple):
    """A fault that develops in one rig."""

    component: str
    """The label's name."""
    stages: tuple[Stage, ...]


FAULTS: Mapping[str, Fault] = {
    "rig_4": Fault("pump", (Stage(QUIET + 1, 1), Stage(QUIET + 4, 2))),
    "rig_9": Fault("accumulator", (Stage(QUIET + 2, 115), Stage(QUIET + 4, 100))),
}
"""By rig: what develops there, within the windows that are sent fast."""


class Rigs:
    """The rigs and their telemetry, window by window, all at the same time.

    Args:
        seed: Of the choice of cycles.
    """

    def __init__(self, seed: int = 0) -> None:
        self.machines: dict[str, Machine] = {
            name: rig(name) for name in (f"rig_{number + 1}" for number in range(RIGS))
        }
        self._begin = datetime.now(UTC) - timedelta(seconds=CYCLE_S * (QUIET + FAST))
        self._source, self._labels = ZemaSource(), load_embedded().labels
        self._random = np.random.default_rng(seed)

    def end_of(self, window: int) -> datetime:
        """Return the time of the end of a window."""
        return self._begin + timedelta(seconds=CYCLE_S * (window + 1))

    def window(self, window: int) -> list[Part]:
        """Return a window's telemetry of all rigs."""
        start = self.end_of(window) - timedelta(seconds=CYCLE_S)
        parts = []
        for name in self.machines:
            row = int(self._random.choice(self._recorded(condition_of(name, window))))
            frame = telemetry(cycle(self._source, row), start)
            parts.append(Part(name, window, False, frame))
        return parts

    def live(self, speed: float) -> Iterator[Sequence[Part]]:
        """Yield twice a second, without end, what is due: a window's telemetry or nothing.

        Args:
            speed: How many times faster than real time windows come that have ended already.
        """
        window, last = QUIET, time.monotonic()
        while True:
            time.sleep(0.5)
            rested = time.monotonic() - last >= CYCLE_S / speed
            if rested and self.end_of(window) <= datetime.now(UTC):
                yield self.window(window)
                window, last = window + 1, time.monotonic()
            else:
                yield []

    def _recorded(self, condition: Mapping[str, int]) -> NDArray[np.intp]:
        """Return the numbers of the recorded cycles of a condition."""
        wanted = [condition[name] for name in LABEL_VALUES]
        return np.flatnonzero((self._labels == wanted).all(axis=1))


def condition_of(name: str, window: int) -> dict[str, int]:
    """Return the condition of a rig in a window: the value of each label."""
    fault = FAULTS.get(name)
    stages = fault.stages if fault else ()
    reached = [stage.grade for stage in stages if stage.window <= window]
    return _SOUND | ({fault.component: reached[-1]} if fault and reached else {})
