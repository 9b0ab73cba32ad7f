"""Asynchronous access to the database by machine and time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.schemas.arguments import checked
from hydrascope.telemetry.times import as_microseconds
from hydrascope.telemetry.timescale.database import Connection, Database, Health
from hydrascope.telemetry.timescale.errors import DatabaseError
from hydrascope.telemetry.timescale.label_repository import LabelRepository
from hydrascope.telemetry.timescale.narrow import NarrowTable, named_sensor_keys, sensor_keys
from hydrascope.telemetry.timescale.ordering import in_order
from hydrascope.telemetry.timescale.reference_repository import ReferenceRepository
from hydrascope.telemetry.timescale.repositories import EquipmentRepository, TopologyRepository
from hydrascope.telemetry.timescale.settings import DatabaseSettings, WideTableSettings
from hydrascope.telemetry.timescale.slices import SLICE_ROWS, slices
from hydrascope.telemetry.timescale.tables import FetchedSamples, SampleTable, Selection
from hydrascope.telemetry.timescale.wide import WideTable
from hydrascope.telemetry.timescale.writing import TRANSACTION_ROWS, Batch, write


class Request(NamedTuple):
    """A request for telemetry."""

    equipment_id: str
    window: TimeWindow
    sensors: Sequence[str] | None = None
    """The sensors; None: all of the machine."""


class TimescaleConnector:
    """Reads and writes the telemetry of machines; an asynchronous context manager.

    A frame of telemetry has the columns `time` (UTC), `sensor_id` (categorical) and `value`
    (float64, in the unit stored in the database), ordered by sensor and then by time.

    Args:
        settings: Settings of the database.
        table: An existing wide table to read from; None: Hydrascope's own table.
    """

    @checked
    def __init__(self, settings: DatabaseSettings, table: WideTableSettings | None = None) -> None:
        self.database = Database(settings)
        self.table: SampleTable = NarrowTable() if table is None else WideTable(table)
        self.equipment = EquipmentRepository(self.database)
        self.topologies = TopologyRepository(self.database)
        self.labels = LabelRepository(self.database)
        self.references = ReferenceRepository(self.database)

    async def __aenter__(self) -> "TimescaleConnector":
        """Start the health checks."""
        await self.database.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.database.close()

    async def health_check(self) -> Health:
        """Check the database now; `database.last_health` has the last result."""
        return await self.database.health_check()

    @checked
    async def fetch_sensor_data(
        self,
        equipment_id: str,
        time_window: TimeWindow,
        sensors: Sequence[str] | None = None,
        quality: Sequence[int] | None = None,
    ) -> pd.DataFrame:
        """Return the telemetry of a machine with `start <= time < end`, as a frame.

        Args:
            equipment_id: The machine.
            time_window: The window, with time zone.
            sensors: The sensors; None: all.
            quality: Accepted flags; None: all. A wide table has no flags.

        Raises:
            SpecError: The machine or a sensor is unknown.
            DatabaseError: The database does not answer.
        """
        names, selection = await self._selected(equipment_id, time_window, sensors, quality)

        async def work(connection: Connection) -> pd.DataFrame:
            # Ordered here, because retrying holds the returned value until it ends.
            parts = await self.table.read(connection, selection)
            return _frame(in_order(parts, len(names)), names)

        return await self.database.run(work)

    @checked
    async def fetch_batch_sensor_data(self, requests: Sequence[Request]) -> list[pd.DataFrame]:
        """Return the frame of each request, using all connections concurrently.

        Raises:
            SpecError, DatabaseError: The first error; it cancels the other requests.
        """
        room = asyncio.Semaphore(self.database.settings.pool_max)

        async def fetch(request: Request) -> pd.DataFrame:
            async with room:
                return await self.fetch_sensor_data(*request)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetch(request)) for request in requests]
        except* (SpecError, DatabaseError) as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    @checked
    async def iter_sensor_data(
        self,
        equipment_id: str,
        time_window: TimeWindow,
        sensors: Sequence[str] | None = None,
        quality: Sequence[int] | None = None,
        rows: int = SLICE_ROWS,
    ) -> AsyncIterator[pd.DataFrame]:
        """Yield frames of consecutive times and about `rows` rows each, in bounded memory.

        Frames are fetched on demand. After a lost connection, only the current frame is fetched
        again.

        Raises:
            SpecError, DatabaseError: As in `fetch_sensor_data`.
        """
        names, selection = await self._selected(equipment_id, time_window, sensors, quality)
        async for parts in slices(self.database, self.table, selection, rows):
            yield _frame(in_order(parts, len(names)), names)

    @checked
    async def write_telemetry(self, equipment_id: str, frame: pd.DataFrame) -> int:
        """Write a frame of telemetry and return the number of new or changed rows.

        A row replaces an existing one for the same sensor and instant; of several in the frame,
        the last one counts. Rows are written in transactions of 250,000.

        Args:
            equipment_id: A machine that has been saved.
            frame: Columns `time` (with zone), `sensor_id` (or an alias of the machine file),
                `value` and optionally `quality` (by default 0, good). Rows without a value are
                skipped.

        Raises:
            SpecError: A column is missing, a time has no zone, or a sensor is unknown.
            DatabaseError: The database does not answer.
        """
        _check_frame(frame)
        sensor = pd.Categorical(frame["sensor_id"])
        names = [str(name) for name in sensor.categories]
        keys = await self.database.run(lambda c: named_sensor_keys(c, equipment_id, names))
        key = np.array(keys, dtype=np.int32)
        value = frame["value"].to_numpy(dtype=np.float64)
        quality = frame["quality"] if "quality" in frame else pd.Series(0, index=frame.index)
        time = frame["time"].dt.tz_convert("UTC").dt.tz_localize(None)
        batch = Batch(
            time.to_numpy(dtype="datetime64[us]").astype(np.int64),
            key[sensor.codes],
            value,
            np.asarray(quality, dtype=np.int16),
        )
        return await self.write_batch(batch.take(np.flatnonzero(np.isfinite(value))))

    async def write_batch(self, batch: Batch) -> int:
        """Write samples that are identified by sensor keys; otherwise like `write_telemetry`."""
        changed = 0
        for part in batch.in_order().split(TRANSACTION_ROWS):
            changed += await self.database.transaction(partial(write, batch=part))
        return changed

    @checked
    async def sensor_keys(self, equipment_id: str) -> Mapping[str, int]:
        """Return the keys of a machine's sensors for `write_batch`.

        Raises:
            SpecError: The machine is unknown.
        """

        async def work(connection: Connection) -> dict[str, int]:
            names = list(await NarrowTable().sensors(connection, equipment_id))
            keys = await sensor_keys(connection, equipment_id, names)
            return dict(zip(names, keys, strict=True))

        return await self.database.run(work)

    async def _selected(
        self,
        equipment_id: str,
        window: TimeWindow,
        sensors: Sequence[str] | None,
        quality: Sequence[int] | None,
    ) -> tuple[list[str], Selection]:
        if sensors is None:
            known = await self.database.run(
                lambda connection: self.table.sensors(connection, equipment_id)
            )
            sensors = list(known)
        names = list(dict.fromkeys(sensors))
        ends = as_microseconds(window.start), as_microseconds(window.end)
        flags = None if quality is None else tuple(quality)
        return names, Selection(equipment_id, tuple(names), *ends, flags)


def _frame(rows: FetchedSamples, names: Sequence[str]) -> pd.DataFrame:
    sensor = pd.Categorical.from_codes(rows.sensor, dtype=pd.CategoricalDtype(list(names)))
    # Localising would copy the column; setting its type does not.
    time = pd.DatetimeIndex(rows.time_us, dtype=pd.DatetimeTZDtype("us", "UTC"), copy=False)
    return pd.DataFrame({"time": time, "sensor_id": sensor, "value": rows.value}, copy=False)


def _check_frame(frame: pd.DataFrame) -> None:
    if missing := [name for name in ("time", "sensor_id", "value") if name not in frame]:
        raise SpecError(
            f"no column {', '.join(missing)}; it has: {', '.join(map(str, frame))}; "
            "expected time, sensor_id, value[, quality]",
            path="telemetry",
        )
    kind = frame["time"].dtype
    if not isinstance(kind, pd.DatetimeTZDtype):
        example = frame["time"].iloc[0] if len(frame) else ""
        raise SpecError(
            f"time is of type {kind}, as in {str(example)!r}; expected times with time "
            "zone, as in 2024-05-01T12:00:00Z",
            path="telemetry",
        )
    if gone := int(frame["time"].isna().sum() + frame["sensor_id"].isna().sum()):
        raise SpecError(
            f"{gone} rows without time or sensor_id; expected both in each", path="telemetry"
        )
