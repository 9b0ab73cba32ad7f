"""The interface of an equipment store, and the windows that requests refer to."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from hydrascope.schemas.errors import SpecError, closest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.requests import WindowIn, read_window
from hydrascope.serving.windows import GivenReference, TelemetryWindow


class UnavailableError(Exception):
    """The database does not answer; ask again later. The message is for the log."""


class UnwritableError(UnavailableError):
    """The folder of machines cannot be written at present."""


class EquipmentStore(Protocol):
    """Machines, their references, telemetry and saved diagnoses.

    Every method raises `UnavailableError` where a database does not answer, or a file cannot be
    written.
    """

    async def all(self) -> Mapping[str, Machine]:
        """Return the machines by equipment ID; unchanged ones are the same objects."""
        ...

    async def get(self, equipment_id: str) -> Machine:
        """Return one machine.

        Raises:
            SpecError: There is no such machine.
        """
        ...

    async def save(self, machine: Machine) -> None:
        """Save a machine, or its new state.

        Raises:
            SpecError: There is no place to save it.
        """
        ...

    async def reference(self, machine: Machine) -> GivenReference | None:
        """Return a machine's reference; the same object until it changes.

        None where it was given none, or has other sensors since.
        """
        ...

    async def save_reference(self, reference: GivenReference) -> None:
        """Save a machine's reference, in place of another one.

        Raises:
            SpecError: There is no place to save it.
        """
        ...

    async def remove_reference(self, equipment_id: str) -> bool:
        """Remove a machine's reference; return whether there was one."""
        ...

    async def read_signals(self, machine: Machine, window: TimeWindow) -> Mapping[str, Signal]:
        """Return the samples of a window by sensor ID.

        Raises:
            SpecError: There is no telemetry to read.
        """
        ...

    async def save_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Save an answer.

        Raises:
            SpecError: There is no place to save it.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


async def find_window(
    store: EquipmentStore, request: WindowIn, machine: Machine, window_s: float
) -> TelemetryWindow:
    """Return the window that a request brings, or read it from the store.

    Raises:
        SpecError: As `read_window` and `EquipmentStore.read_signals`.
    """
    if request.signals is not None:
        return read_window(request, machine, window_s)
    end = request.start + timedelta(seconds=window_s)
    signals = await store.read_signals(machine, TimeWindow(start=request.start, end=end))
    return TelemetryWindow(machine, request.start, signals)


def find_machine(machines: Mapping[str, Machine], equipment_id: str) -> Machine:
    """Return a machine by its ID.

    Raises:
        SpecError: It is unknown; names some that are known.
    """
    if equipment_id not in machines:
        known = ", ".join(list(machines)[:20])
        raise SpecError(
            f"no machine {equipment_id!r}; there is: {known or 'none yet'}"
            + closest(equipment_id, list(machines)),
            path="equipment_id",
        )
    return machines[equipment_id]
