"""Input and output of a model, and the interface that the engine calls.

All of it is plain data, so that the model may run in another process.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from numpy.typing import NDArray

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal


@dataclass(frozen=True, eq=False)
class TelemetryWindow:
    """One window of one machine.

    Attributes:
        machine: The same object in all windows of a machine: what is computed of it is cached.
        start: With time zone.
        signals: By sensor id, from `start` on, in the machine file's units.
        given: The machine's reference windows, if it was given any; likewise one object.
    """

    machine: Machine
    start: datetime
    signals: Mapping[str, Signal]
    given: "GivenReference | None" = None

    @property
    def digest(self) -> str:
        """Hash of the samples and their start."""
        content = hashlib.blake2b(self.start.isoformat().encode(), digest_size=24)
        for name in sorted(self.signals):
            signal = self.signals[name]
            content.update(f"\n{name} {signal.rate_hz!r} ".encode())
            content.update(signal.values.tobytes())
        return content.hexdigest()


@dataclass(frozen=True, eq=False)
class GivenReference:
    """Windows of a machine from a time when it was known to be sound.

    Attributes:
        machine: As it was when they were given.
        window_s: Length of each: that of the model active then.
        windows: At least one; of `machine`.
    """

    machine: Machine
    window_s: float
    windows: tuple[TelemetryWindow, ...]

    @cached_property
    def digest(self) -> str:
        """Hash of all windows in their order."""
        parts = "\n".join(window.digest for window in self.windows)
        return hashlib.blake2b(parts.encode(), digest_size=24).hexdigest()

    def suits(self, machine: Machine) -> bool:
        """Return whether a machine still has the sensors of these windows."""
        return self.machine.topology.sensors == machine.topology.sensors


Subject = tuple[Machine, GivenReference | None]
"""A machine, and the reference that it was given."""


class ReferenceUse(StrEnum):
    """What a window is compared with, by a model that reads references."""

    GIVEN = "given"
    """Reference windows given to the service."""
    BUNDLE = "bundle"
    """The bundle's reference of a machine of its training."""
    MISSING = "missing"
    """Nothing: the model answers by the window alone."""
    NEEDED = "needed"
    """Nothing, and the model cannot answer without."""


@dataclass(frozen=True, eq=False)
class WindowAnswer:
    """Answer of a model to one window.

    Attributes:
        heads: A head's name → [size] (machine level) or [N, size] (component level), decoded.
        normality: A level of `schemas.normality.LEVELS` → [1], [N] or [S] shares of the threshold,
            NaN where there is nothing to score. Also `BLAME` → [N], where components are blamed,
            and `OPERATING_POINT` → [1], where operating points are judged. Empty where the task has
            no normality.
        present: [S]; share of each sensor's samples that are present.
        observed: [S, T] bool; which sub-windows of each sensor counted.
        drift: [S] mean |z| of each sensor's features under the training statistics; NaN where
            nothing was observed.
        reference: What the window was compared with; None where the model reads no references.
        fitness: Entries of `schemas.fitness`: [S] of sensors, [1] of the window, [1] or [N] of the
            heads; empty where the model does not judge its input.
    """

    heads: Mapping[str, NDArray[Any]]
    normality: Mapping[str, NDArray[Any]]
    present: NDArray[Any]
    observed: NDArray[Any]
    drift: NDArray[Any]
    reference: ReferenceUse | None
    fitness: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Timings:
    """Times of one batch, in seconds.

    Attributes:
        began_s: Start, since 1970.
        features_s: Duration of the features, which come first.
        network_s: Duration of the network.
    """

    began_s: float
    features_s: float
    network_s: float


class Model(Protocol):
    """A bundle that answers outside of the event loop: in a thread or another process."""

    manifest: Manifest
    version: str
    max_in_flight: int
    """Batches that it accepts at a time; it computes them one after the other."""

    @property
    def window_s(self) -> float:
        """Length of its windows."""

    @property
    def device_memory_bytes(self) -> int:
        """Memory reserved on the GPU; 0 on a CPU."""

    async def check(
        self, machine: Machine, given: GivenReference | None = None
    ) -> ReferenceUse | None:
        """Check that the network can read a machine.

        Returns:
            What its windows are compared with, if it was `given` that reference.

        Raises:
            SpecError: A kind or a sensor of it is not in the network's vocabulary.
        """

    async def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine]) -> None:
        """Answer synthetic windows of these machines, in batches of these sizes.

        Raises:
            SpecError: The golden answers differ from those at export.
        """

    async def answer(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[WindowAnswer], Timings]:
        """Answer some windows of any machines, in their order."""

    async def close(self) -> None:
        """Release all resources; no call follows."""
