"""Machines of the bundle, and of a folder of machine files; without telemetry."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic_core import to_json

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.machine_file import machines_in
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow
from hydrascope.schemas.whole_file import whole_file
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.equipment.references import dump_reference, load_reference
from hydrascope.serving.equipment.store import UnwritableError, find_machine
from hydrascope.serving.windows import GivenReference

_REFERENCES = "references"
"""Folder within that of the machine files."""


class FileEquipmentStore:
    """Keeps machines and their references in memory and in files.

    Args:
        machines: Machines of the bundle.
        folder: Holds further machines (YAML or JSON), and in `references` within it their
            references; None: nothing can be saved.

    Raises:
        SpecError: A file in the folder is not a valid machine or reference, or cannot be read.
    """

    def __init__(self, machines: Mapping[str, Machine], folder: Path | None) -> None:
        self._machines = dict(machines)
        self._references: dict[str, GivenReference] = {}
        self._folder = folder
        # One change at a time: what is in memory is what was written last.
        self._changing = asyncio.Lock()
        if folder is not None:
            try:
                self._read(folder)
            except OSError as error:
                place = error.filename or folder
                raise SpecError(
                    f"{str(place)!r} is not accepted; expected a folder of machine files that this "
                    f"process may read and write ({error.strerror})",
                    path="equipment",
                ) from None

    async def all(self) -> Mapping[str, Machine]:
        """Return the machines by equipment ID."""
        return self._machines

    async def get(self, equipment_id: str) -> Machine:
        """Return one machine."""
        return find_machine(self._machines, equipment_id)

    async def save(self, machine: Machine) -> None:
        """Write the machine's file, whole or not at all."""
        equipment_id = machine.equipment.equipment_id
        file = self._writable() / f"{equipment_id}.json"
        async with self._changing:
            await asyncio.to_thread(_write, file, to_json(machine, indent=2))
            self._machines[equipment_id] = machine

    async def reference(self, machine: Machine) -> GivenReference | None:
        """Return the machine's reference, unless it has other sensors since."""
        found = self._references.get(machine.equipment.equipment_id)
        return found if found is not None and found.suits(machine) else None

    async def save_reference(self, reference: GivenReference) -> None:
        """Write the reference's file, whole or not at all."""
        equipment_id = reference.machine.equipment.equipment_id
        file = self._writable() / _REFERENCES / f"{equipment_id}.json"
        content = await asyncio.to_thread(dump_reference, reference)
        async with self._changing:
            await asyncio.to_thread(_write, file, content)
            self._references[equipment_id] = reference

    def _read(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((folder / _REFERENCES).glob("[!.]*.json")):
            self._references[file.stem] = load_reference(file.read_bytes(), str(file))
        for file in sorted([*folder.glob("[!.]*.yaml"), *folder.glob("[!.]*.json")]):
            for machine in machines_in(file):
                self._machines[machine.equipment.equipment_id] = machine

    async def remove_reference(self, equipment_id: str) -> bool:
        """Delete the reference's file."""
        async with self._changing:
            if equipment_id not in self._references:
                return False
            with _changing(file := self._writable() / _REFERENCES / f"{equipment_id}.json"):
                file.unlink(missing_ok=True)
            del self._references[equipment_id]
            return True

    async def read_signals(self, machine: Machine, window: TimeWindow) -> Mapping[str, Signal]:  # noqa: ARG002
        """Refuse: there is no telemetry."""
        raise SpecError("missing, and there is no database to read them from", path="signals")

    async def save_diagnosis(self, diagnosis: Diagnosis) -> None:  # noqa: ARG002
        """Refuse: there is no place."""
        raise SpecError("there is no database to keep answers in", path="store")

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def _writable(self) -> Path:
        if self._folder is None:
            raise SpecError(
                "there is no place to keep machines and their references; start with "
                "equipment=FOLDER or database=URL",
                path="equipment",
            )
        return self._folder


def _write(file: Path, content: bytes) -> None:
    with _changing(file):
        if file.parent.name == _REFERENCES:
            file.parent.mkdir(exist_ok=True)
        with whole_file(file) as part:
            part.write_bytes(content)


@contextmanager
def _changing(file: Path) -> Iterator[None]:
    """Raise `UnwritableError` where a file cannot be changed."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"{file}: {error.strerror}") from error
