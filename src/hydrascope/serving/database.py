"""The fleet in a database: machines, their telemetry, and the answers that are kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import numpy as np

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.answers import Diagnosis
from hydrascope.serving.fleet import UnavailableError, known_machine
from hydrascope.serving.references import kept, read_kept
from hydrascope.serving.windows import GivenReference
from hydrascope.telemetry.folder.resampling import instants, margin_us, resample
from hydrascope.telemetry.folder.settings import ResampleMethod
from hydrascope.telemetry.times import as_microseconds
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.errors import DatabaseError
from hydrascope.telemetry.timescale.repositories import equipment_key
from hydrascope.telemetry.timescale.settings import DatabaseSettings

FRESH_S = 10.0
"""How long the list of machines is believed before the database is asked again."""
_KEEP = """
INSERT INTO hydrascope.predictions (equipment_key, window_start, window_end, bundle, content)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (equipment_key, window_end, bundle)
DO UPDATE SET content = excluded.content, window_start = excluded.window_start
"""


class DatabaseFleet:
    """Machines and telemetry of a TimescaleDB; the bundle's machines are known without it too.

    While the database is away, machines that were seen before can still be asked about by those
    who bring their own signals.

    Args:
        settings: Of the database; questions should give up before a request's deadline.
        trained: The bundle's machines.
    """

    def __init__(self, settings: DatabaseSettings, trained: Mapping[str, Machine]) -> None:
        self._connector = TimescaleConnector(settings)
        self._machines = dict(trained)
        self._digests: dict[str, str] = {}
        self._references: dict[str, tuple[str, GivenReference]] = {}
        self._seen_at = -FRESH_S
        self._lock = asyncio.Lock()

    async def all(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id."""
        async with self._lock:
            if time.monotonic() - self._seen_at >= FRESH_S:
                async with _available():
                    found = await self._connector.equipment.all()
                    self._digests = await self._connector.references.digests()
                # The same object for an unchanged machine: much is computed once of each.
                for equipment_id, machine in found.items():
                    known = self._machines.get(equipment_id)
                    if known is None or known.digest != machine.digest:
                        self._machines[equipment_id] = machine
                self._seen_at = time.monotonic()
        return self._machines

    async def get(self, equipment_id: str) -> Machine:
        """Return one machine."""
        try:
            return known_machine(await self.all(), equipment_id)
        except UnavailableError:
            if equipment_id in self._machines:
                return self._machines[equipment_id]
            raise

    async def save(self, machine: Machine) -> None:
        """Keep a machine, or its new state."""
        async with _available():
            await self._connector.equipment.save(machine)
        self._machines[machine.equipment.equipment_id] = machine

    async def reference(self, machine: Machine) -> GivenReference | None:
        """Return the reference that a machine was given, read again only where it changed."""
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
            known = digest, await asyncio.to_thread(read_kept, content, source)
            self._references[equipment_id] = known
        return known[1] if known[1].suits(machine) else None

    async def save_reference(self, reference: GivenReference) -> None:
        """Keep a machine's reference in the place of another one."""
        equipment_id = reference.machine.equipment.equipment_id
        content = await asyncio.to_thread(kept, reference)
        async with _available():
            digest = await self._connector.references.save(equipment_id, content)
        self._digests[equipment_id] = digest
        self._references[equipment_id] = (digest, reference)

    async def remove_reference(self, equipment_id: str) -> bool:
        """Forget a machine's reference."""
        async with _available():
            removed = await self._connector.references.remove(equipment_id)
        self._digests.pop(equipment_id, None)
        self._references.pop(equipment_id, None)
        return removed

    async def read(self, machine: Machine, window: TimeWindow) -> Mapping[str, Signal]:
        """Return the samples of a window, put on the sensors' regular instants from its start on.

        As a training reads them whose settings of `data.source.resample` are the default ones.
        """
        sensors = [sensor for _, sensor in machine.topology.sensors]
        margin = margin_us(min((s.rate_hz for s in sensors), default=1.0), None)
        beside = timedelta(microseconds=margin)
        wider = TimeWindow(start=window.start - beside, end=window.end + beside)
        equipment_id = machine.equipment.equipment_id
        async with _available():
            frame = await self._connector.fetch_sensor_data(equipment_id, wider)
        first_us, end_us = as_microseconds(window.start), as_microseconds(window.end)
        signals = {}
        for sensor in sensors:
            own = frame[frame["sensor_id"] == sensor.id]
            value = own["value"].to_numpy(dtype=np.float32)
            good = np.isfinite(value)
            if sensor.range is not None:
                good &= (value >= sensor.range[0]) & (value <= sensor.range[1])
            if not good.any():
                continue
            utc = own["time"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
            values = resample(
                utc.astype(np.int64)[good],
                value[good],
                instants(first_us, first_us, end_us, sensor.rate_hz),
                period_us=1e6 / sensor.rate_hz,
                rate_hz=sensor.rate_hz,
                method=ResampleMethod.INTERPOLATE,
                hold_us=None,
            )
            signals[sensor.id] = Signal(values, sensor.rate_hz)
        if not signals:
            raise SpecError(f"start: there is no telemetry of {equipment_id!r} in {window}")
        return signals

    async def keep(self, diagnosis: Diagnosis) -> None:
        """Keep an answer; one a window and bundle."""

        async def work(connection: Any) -> None:
            await connection.execute(
                _KEEP,
                await equipment_key(connection, diagnosis.equipment_id),
                diagnosis.window.start,
                diagnosis.window.end,
                diagnosis.model.version,
                diagnosis.model_dump_json(exclude={"timing", "cached"}),
            )

        async with _available():
            await self._connector.database.transaction(work)

    async def close(self) -> None:
        """Close all connections."""
        await self._connector.database.close()


@asynccontextmanager
async def _available() -> AsyncIterator[None]:
    """Let a database that does not answer be an `UnavailableError`."""
    try:
        yield
    except DatabaseError as error:
        raise UnavailableError(str(error)) from error
