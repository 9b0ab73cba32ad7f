"""Machines and their telemetry, as the service needs them: from a database, or without one."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from pydantic_core import to_json

from hydrascope.schemas.errors import SpecError, closest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.answers import Diagnosis
from hydrascope.serving.references import kept, read_kept
from hydrascope.serving.requests import WindowIn, window_of
from hydrascope.serving.windows import GivenReference, TelemetryWindow

_REFERENCES = "references"
"""Folder within that of the machine files."""


class UnavailableError(Exception):
    """The database does not answer; ask again later."""


class Fleet(Protocol):
    """The machines that can be asked about."""

    async def all(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id; the same objects as long as nothing changes.

        This and all that follows raises UnavailableError where a database does not answer.
        """
        ...

    async def get(self, equipment_id: str) -> Machine:
        """Return one machine.

        Raises:
            SpecError: There is no such machine.
        """
        ...

    async def save(self, machine: Machine) -> None:
        """Keep a machine, or its new state.

        Raises:
            SpecError: There is no place to keep it.
        """
        ...

    async def reference(self, machine: Machine) -> GivenReference | None:
        """Return the reference that a machine was given; the same object until it changes.

        None where it was given none, or its sensors are others by now.
        """
        ...

    async def save_reference(self, reference: GivenReference) -> None:
        """Keep a machine's reference in the place of another one.

        Raises:
            SpecError: There is no place to keep it.
        """
        ...

    async def remove_reference(self, equipment_id: str) -> bool:
        """Forget a machine's reference; return whether there was one."""
        ...

    async def read(self, machine: Machine, window: TimeWindow) -> Mapping[str, Signal]:
        """Return the samples of a window by sensor id.

        Raises:
            SpecError: There is no telemetry to read.
        """
        ...

    async def keep(self, diagnosis: Diagnosis) -> None:
        """Keep an answer.

        Raises:
            SpecError: There is no place to keep it.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class LocalFleet:
    """The machines of the bundle, and those in a folder of machine files; no telemetry.

    Args:
        machines: Known from the start.
        folder: Where further ones are kept (YAML or JSON), and in `references` within it what
            machines were like when they were sound; None: nowhere.

    Raises:
        SpecError: A file in the folder is no machine file, or no reference.
    """

    def __init__(self, machines: Mapping[str, Machine], folder: Path | None) -> None:
        self._machines = dict(machines)
        self._references: dict[str, GivenReference] = {}
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for file in sorted((folder / _REFERENCES).glob("*.json")):
                self._references[file.stem] = read_kept(file.read_bytes(), str(file))
            for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.json")]):
                machine = Machine.from_yaml(file)
                self._machines[machine.equipment.equipment_id] = machine

    async def all(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id."""
        return self._machines

    async def get(self, equipment_id: str) -> Machine:
        """Return one machine."""
        return known_machine(self._machines, equipment_id)

    async def save(self, machine: Machine) -> None:
        """Write the machine's file, whole or not at all."""
        equipment_id = machine.equipment.equipment_id
        await _write(self._place() / f"{equipment_id}.json", to_json(machine, indent=2))
        self._machines[equipment_id] = machine

    async def reference(self, machine: Machine) -> GivenReference | None:
        """Return the reference that a machine was given."""
        found = self._references.get(machine.equipment.equipment_id)
        return found if found is not None and found.suits(machine) else None

    async def save_reference(self, reference: GivenReference) -> None:
        """Write the reference's file, whole or not at all."""
        equipment_id = reference.machine.equipment.equipment_id
        folder = self._place() / _REFERENCES
        folder.mkdir(exist_ok=True)
        await _write(folder / f"{equipment_id}.json", await asyncio.to_thread(kept, reference))
        self._references[equipment_id] = reference

    async def remove_reference(self, equipment_id: str) -> bool:
        """Delete the reference's file."""
        if self._references.pop(equipment_id, None) is None:
            return False
        (self._place() / _REFERENCES / f"{equipment_id}.json").unlink(missing_ok=True)
        return True

    async def read(self, machine: Machine, window: TimeWindow) -> Mapping[str, Signal]:  # noqa: ARG002
        """Refuse: there is no telemetry."""
        raise SpecError("signals: missing, and there is no database to read them from")

    async def keep(self, diagnosis: Diagnosis) -> None:  # noqa: ARG002
        """Refuse: there is no place."""
        raise SpecError("store: there is no database to keep answers in")

    async def close(self) -> None:
        """Do nothing."""

    def _place(self) -> Path:
        if self._folder is None:
            raise SpecError(
                "equipment: there is no place to keep machines and their references; start with "
                "equipment=FOLDER or database=URL"
            )
        return self._folder


async def asked_window(
    fleet: Fleet, asked: WindowIn, machine: Machine, window_s: float
) -> TelemetryWindow:
    """Return the window that a request brings along, or says where to read.

    Raises:
        SpecError: As `window_of` and `Fleet.read`.
    """
    if asked.signals is not None:
        return window_of(asked, machine, window_s)
    end = asked.start + timedelta(seconds=window_s)
    signals = await fleet.read(machine, TimeWindow(start=asked.start, end=end))
    return TelemetryWindow(machine, asked.start, signals)


async def _write(file: Path, content: bytes) -> None:
    part = file.with_suffix(".part")
    await asyncio.to_thread(part.write_bytes, content)
    part.replace(file)


def known_machine(machines: Mapping[str, Machine], equipment_id: str) -> Machine:
    """Return one of some machines.

    Raises:
        SpecError: It is not among them; naming some that are.
    """
    if equipment_id not in machines:
        known = ", ".join(list(machines)[:20])
        raise SpecError(
            f"equipment_id: no machine {equipment_id!r}; there is: {known or 'none yet'}"
            + closest(equipment_id, list(machines))
        )
    return machines[equipment_id]
