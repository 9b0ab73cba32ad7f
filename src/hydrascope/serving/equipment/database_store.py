"""Machines, references, telemetry and diagnoses in a TimescaleDB."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import numpy as np

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.samples import GOOD, judged
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.observations import cannot_tell
from hydrascope.serving.equipment.references import dump_reference, load_reference
from hydrascope.serving.equipment.store import UnavailableError, find_machine
from hydrascope.serving.windows import GivenReference
from hydrascope.telemetry.times import as_microseconds
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.errors import DatabaseError
from hydrascope.telemetry.timescale.repositories import equipment_key
from hydrascope.telemetry.timescale.settings import DatabaseSettings
from hydrascope.telemetry.window_signals import margin_beside_us, window_signals

_REFRESH_S = 10.0
"""Time after which the list of machines is read again."""
_SAVE_DIAGNOSIS = """
INSERT INTO hydrascope.predictions
    (equipment_key, window_start, window_end, bundle, content, health, cannot_tell)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (equipment_key, window_end, bundle)
DO UPDATE SET content = excluded.content, window_start = excluded.window_start,
    health = excluded.health, cannot_tell = excluded.cannot_tell
"""

_log = logging.getLogger(__name__)


class DatabaseEquipmentStore:
    """Keeps machines and their references in a database, and caches them.

    While the database is unavailable, the cached machines can still be diagnosed from signals that
    requests bring.

    Args:
        settings: Settings of the database, whose timeout should be below a request's deadline.
        machines: Machines of the bundle, which are known without the database.
    """

    def __init__(self, settings: DatabaseSettings, machines: Mapping[str, Machine]) -> None:
        self._connector = TimescaleConnector(settings)
        self._machines = dict(machines)
        self._refused: dict[str, SpecError] = {}
        self._digests: dict[str, str] = {}
        self._references: dict[str, tuple[str, GivenReference]] = {}
        self._refreshed_at = -_REFRESH_S
        self._lock = asyncio.Lock()

    async def all(self) -> Mapping[str, Machine]:
        """Return the machines by equipment ID; those that are not valid are logged and left out."""
        async with self._lock:
            if time.monotonic() - self._refreshed_at >= _REFRESH_S:
                async with _available():
                    found = await self._connector.equipment.readable()
                    self._digests = await self._connector.references.digests()
                self._leave_out(found.refused)
                # An unchanged machine stays the same object: caches elsewhere depend on it.
                for equipment_id, machine in found.machines.items():
                    known = self._machines.get(equipment_id)
                    if known is None or known.digest != machine.digest:
                        self._machines[equipment_id] = machine
                self._refreshed_at = time.monotonic()
        return self._machines

    async def get(self, equipment_id: str) -> Machine:
        """Return one machine.

        Raises:
            SpecError: There is no such machine, or it is not valid.
        """
        try:
            machines = await self.all()
            if equipment_id in self._refused:
                raise self._refused[equipment_id]
            return find_machine(machines, equipment_id)
        except UnavailableError:
            if equipment_id in self._machines:
                return self._machines[equipment_id]
            raise

    def _leave_out(self, refused: Mapping[str, SpecError]) -> None:
        for equipment_id, error in refused.items():
            self._machines.pop(equipment_id, None)
            if str(error) != str(self._refused.get(equipment_id)):
                _log.warning("%s: left out: %s", equipment_id, error)
        self._refused = dict(refused)

    async def save(self, machine: Machine) -> None:
        """Save a machine, or its new state."""
        async with _available():
            await self._connector.equipment.save(machine)
        self._refused.pop(machine.equipment.equipment_id, None)
        self._machines[machine.equipment.equipment_id] = machine

    async def reference(self, machine: Machine) -> GivenReference | None:
        """Return a machine's reference, read again only if it changed."""
        equipment_id = machine.equipment.equipment_id
        digest = self._digests.get(equipment_id)
        if digest is None:
            return None
        known = self._references.get(equipment_id)
        if known is None or known[0] != digest:
            async with _available():
                content = await self._connector.references.get(equipment_id)
            if content is None:  # removed meanwhile
                return None
            source = f"reference of {equipment_id}"
            known = digest, await asyncio.to_thread(load_reference, content, source)
            self._references[equipment_id] = known
        return known[1] if known[1].suits(machine) else None

    async def save_reference(self, reference: GivenReference) -> None:
        """Save a machine's reference, in place of another one."""
        equipment_id = reference.machine.equipment.equipment_id
        content = await asyncio.to_thread(dump_reference, reference)
        async with _available():
            digest = await self._connector.references.save(equipment_id, content)
        self._digests[equipment_id] = digest
        self._references[equipment_id] = (digest, reference)

    async def remove_reference(self, equipment_id: str) -> bool:
        """Remove a machine's reference."""
        async with _available():
            removed = await self._connector.references.remove(equipment_id)
        self._digests.pop(equipment_id, None)
        self._references.pop(equipment_id, None)
        return removed

    async def read_signals(self, machine: Machine, window: TimeWindow) -> Mapping[str, Signal]:
        """Return the samples of a window, resampled to the sensors' rates from its start on.

        They are those of a training with the default settings of `data.source`.
        """
        beside = timedelta(microseconds=margin_beside_us(machine))
        wider = TimeWindow(start=window.start - beside, end=window.end + beside)
        equipment_id = machine.equipment.equipment_id
        async with _available():
            frame = await self._connector.fetch_sensor_data(equipment_id, wider, quality=(GOOD,))
        sensors = [sensor for _, sensor in machine.topology.sensors]
        samples = {}
        for sensor in sensors:
            own = frame[frame["sensor_id"] == sensor.id]
            utc = own["time"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
            value = own["value"].to_numpy(dtype=np.float64)
            samples[sensor.id] = judged(utc.astype(np.int64), value, sensor).good()
        ends = as_microseconds(window.start), as_microseconds(window.end)
        signals = window_signals(sensors, samples, *ends)
        if not signals:
            raise SpecError(f"there is no telemetry of {equipment_id!r} in {window}", path="start")
        return signals

    async def save_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Save an answer, in place of another one to the same window by the same bundle."""

        async def work(connection: Any) -> None:
            await connection.execute(
                _SAVE_DIAGNOSIS,
                await equipment_key(connection, diagnosis.equipment_id),
                diagnosis.window.start,
                diagnosis.window.end,
                diagnosis.model.version,
                diagnosis.model_dump_json(exclude={"timing", "cached"}),
                diagnosis.health,
                cannot_tell(diagnosis),
            )

        async with _available():
            await self._connector.database.transaction(work)

    async def close(self) -> None:
        """Close all connections."""
        await self._connector.database.close()


@asynccontextmanager
async def _available() -> AsyncIterator[None]:
    """Raise `UnavailableError` where the database does not answer."""
    try:
        yield
    except DatabaseError as error:
        raise UnavailableError(str(error)) from error
