"""Machines and their telemetry, as the service needs them: from a database, or without one."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic_core import to_json

from hydrascope.schemas.errors import SpecError, closest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.answers import Diagnosis


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
        folder: Where further ones are kept (YAML or JSON); None: nowhere.

    Raises:
        SpecError: A file in the folder is no machine file.
    """

    def __init__(self, machines: Mapping[str, Machine], folder: Path | None) -> None:
        self._machines = dict(machines)
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
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
        if self._folder is None:
            raise SpecError(
                "equipment: there is no place to keep machines; start with equipment=FOLDER or "
                "database=URL"
            )
        equipment_id = machine.equipment.equipment_id
        file = self._folder / f"{equipment_id}.json"
        part = file.with_suffix(".part")
        content = to_json(machine, indent=2)
        await asyncio.to_thread(part.write_bytes, content)
        part.replace(file)
        self._machines[equipment_id] = machine

    async def read(self, machine: Machine, window: TimeWindow) -> Mapping[str, Signal]:  # noqa: ARG002
        """Refuse: there is no telemetry."""
        raise SpecError("signals: missing, and there is no database to read them from")

    async def keep(self, diagnosis: Diagnosis) -> None:  # noqa: ARG002
        """Refuse: there is no place."""
        raise SpecError("store: there is no database to keep answers in")

    async def close(self) -> None:
        """Do nothing."""


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
