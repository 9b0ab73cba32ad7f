"""A database as a source of telemetry for training."""

import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import AwareDatetime, Field

from hydrascope.schemas import Machine, SensorSpec, SpecError, validate
from hydrascope.schemas.arguments import PathOrText, checked
from hydrascope.schemas.base import Text
from hydrascope.schemas.samples import GOOD, Samples, judged
from hydrascope.schemas.samples import in_order as in_order_of_time
from hydrascope.schemas.units import Conversion, conversion
from hydrascope.telemetry.folder.labels import label_files, read_labels
from hydrascope.telemetry.folder.machine_files import check_units, read_machines
from hydrascope.telemetry.folder.settings import RecordedSettings
from hydrascope.telemetry.recorded import RecordedSource
from hydrascope.telemetry.times import as_microseconds
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.loop import iterate, start, wait
from hydrascope.telemetry.timescale.ordering import in_order
from hydrascope.telemetry.timescale.scan import Scan, find_or_scan, scan
from hydrascope.telemetry.timescale.settings import (
    DatabaseSettings,
    WideTableSettings,
    database_settings,
)
from hydrascope.telemetry.timescale.slices import slices
from hydrascope.telemetry.timescale.tables import FetchedSamples, Selection


class SourceSettings(RecordedSettings):
    """Keys of `TimescaleSource` besides those of the database."""

    equipment: tuple[Text, ...] | None = Field(default=None, min_length=1)
    """Machines to read; None: all."""
    machines: str | None = None
    """File, folder or glob of machine files; None: the machines of the database."""
    labels: str | None = None
    """File, folder or glob of label files; None: the labels of the database."""
    table: WideTableSettings | None = None
    """A wide table; None: Hydrascope's own table."""
    since: AwareDatetime | None = None
    """Start of the time to read; None: the first row."""
    until: AwareDatetime | None = None
    """End of the time to read, exclusive; None: the last row."""
    verdicts_until: AwareDatetime | None = None
    """Time up to which verdicts on alarms count as labels of the database; None: all."""
    quality_accepted: tuple[int, ...] | None = Field(default=(GOOD,), min_length=1)
    """Flags of good samples; None: all."""
    scans: Path = Path("outputs/scans")
    """Folder of the cached results of one pass over each machine's telemetry."""


POOL = {"pool_min": 0, "pool_max": 2}
"""The default size of the pool; each process of a training has one."""


class _Column(NamedTuple):
    """What the table has of a sensor, under one of its names."""

    sensor: SensorSpec
    conversion: Conversion


class TimescaleSource(RecordedSource):
    """Telemetry in PostgreSQL or TimescaleDB, in Hydrascope's own table or in a wide one.

    It can be pickled and forked; each process opens its own connections when it first reads.
    Memory is bounded by the window that is read.

    Args:
        dsn: URI of the database, without a password.
        password_file: File with the password; None: PGPASSWORD, PGPASSFILE or ~/.pgpass.
        settings: Keys of `SourceSettings` and `settings.DatabaseSettings`. By default, each process
            keeps 0 connections open and has 2 at most.

    Raises:
        SpecError: A setting, machine or label is invalid.
        DatabaseError: The database does not answer.
    """

    @checked
    def __init__(
        self, dsn: str, password_file: PathOrText | None = None, **settings: object
    ) -> None:
        database = {
            name: settings.pop(name) for name in DatabaseSettings.model_fields.keys() & settings
        }
        self._database = database_settings(
            **{"dsn": dsn, "password_file": password_file, **POOL, **database}
        )
        self._settings = validate(SourceSettings, settings, source="timescale source")
        self._open: tuple[int, TimescaleConnector] | None = None
        described = self._find_machines()
        check_units(described, self._settings.units)
        super().__init__(described, self._find_labels(described), self._settings)
        self._scans: dict[str, Scan] = {}
        self._found: dict[str, dict[str, _Column]] = {}

    def __getstate__(self) -> dict[str, object]:
        """Return the state without connections."""
        return self.__dict__ | {"_open": None}

    @property
    def _connector(self) -> TimescaleConnector:
        if self._open is None or self._open[0] != os.getpid():
            # A connector from the parent process is not closed here, only dropped.
            connector = TimescaleConnector(self._database, self._settings.table)
            weakref.finalize(self, _close, os.getpid(), connector).atexit = False
            self._open = os.getpid(), connector
        return self._open[1]

    def _find_machines(self) -> dict[str, Machine]:
        settings = self._settings
        if settings.machines is not None:
            known = read_machines(Path(), settings.machines)
        elif settings.table is not None:
            raise SpecError(
                "not given; expected the machine files of the table's rows", path="machines"
            )
        else:
            known = wait(self._connector.equipment.all())
        wanted = settings.equipment or tuple(known)
        if unknown := [name for name in wanted if name not in known]:
            listed = ", ".join(map(repr, known)) or "none yet"
            raise SpecError(f"no machine {unknown[0]!r}; there is: {listed}", path="equipment")
        if not wanted:
            raise SpecError(f"{self._database.place}: no machine yet; ingest some, or name files")
        return {name: known[name] for name in wanted}

    def _find_labels(self, machines: Mapping[str, Machine]) -> Mapping[str, Any]:
        settings = self._settings
        if settings.labels is not None or settings.table is not None:
            files = label_files(Path(), settings.labels) if settings.labels is not None else []
            return read_labels(files, None, machines, lambda: wait(self._connector.equipment.all()))
        of, until = self._connector.labels.of, settings.verdicts_until
        return {name: wait(of(name, until)) for name in machines}

    def _scan(self, equipment_id: str) -> Scan:
        if equipment_id not in self._scans:
            self._scans[equipment_id] = self._find_scan(equipment_id)
        return self._scans[equipment_id]

    def _find_scan(self, equipment_id: str) -> Scan:
        table, database = self._connector.table, self._connector.database
        state = wait(database.run(lambda connection: table.state(connection, equipment_id)))
        sensors = {s.id: s for _, s in self._machines[equipment_id].topology.sensors}
        settings = self._settings
        found = find_or_scan(
            settings.scans,
            {
                "database": self._database.dsn,
                "equipment_id": equipment_id,
                "sensors": {n: [s.unit, s.rate_hz, s.range] for n, s in sensors.items()},
                "aliases": self._machines[equipment_id].sensor_names,
                "settings": settings.model_dump(
                    mode="json",
                    include={"table", "since", "until", "max_gap_s", "units", "quality_accepted"},
                ),
            },
            state,
            lambda: scan(
                self._slices(equipment_id),
                {name: sensor.rate_hz for name, sensor in sensors.items()},
                settings.max_gap_s,
                state,
            ),
        )
        if not found.stretches_us:
            raise SpecError(
                f"{self._database.place}: no good sample of machine {equipment_id!r}; expected "
                "telemetry, between since and until where they are given"
            )
        return found

    def _stretches_us(self, equipment_id: str) -> Sequence[tuple[int, int]]:
        return self._scan(equipment_id).stretches_us

    def _digests(self, equipment_id: str) -> Mapping[str, str]:
        return self._scan(equipment_id).digests

    def _slices(self, equipment_id: str) -> Iterator[Mapping[str, Samples]]:
        """Yield slices of all samples between since and until."""
        table, database = self._connector.table, self._connector.database
        names = tuple(self._columns(equipment_id))
        ends = wait(
            database.run(lambda connection: table.bounds_us(connection, equipment_id, names))
        )
        if ends is None:
            return
        first_us, end_us = self._limited(ends[0], ends[1] + 1)
        selection = self._selection(equipment_id, first_us, end_us)
        for parts in iterate(slices(database, table, selection)):
            yield self._split(equipment_id, parts)

    def _samples(self, equipment_id: str, first_us: int, end_us: int) -> Mapping[str, Samples]:
        table, database = self._connector.table, self._connector.database
        selection = self._selection(equipment_id, *self._limited(first_us, end_us))
        parts = wait(database.run(lambda connection: table.read(connection, selection)))
        return self._split(equipment_id, parts)

    def _limited(self, first_us: int, end_us: int) -> tuple[int, int]:
        since, until = self._settings.since, self._settings.until
        if since is not None:
            first_us = max(first_us, as_microseconds(since))
        if until is not None:
            end_us = min(end_us, as_microseconds(until))
        return first_us, end_us

    def _selection(self, equipment_id: str, first_us: int, end_us: int) -> Selection:
        names = tuple(self._columns(equipment_id))
        return Selection(equipment_id, names, first_us, end_us, self._settings.quality_accepted)

    def _columns(self, equipment_id: str) -> dict[str, _Column]:
        """Return what the table has of the machine's sensors, by the table's names."""
        if equipment_id not in self._found:
            table, database = self._connector.table, self._connector.database
            units = wait(database.run(lambda c: table.sensors(c, equipment_id)))
            machine = self._machines[equipment_id]
            sensors = {sensor.id: sensor for _, sensor in machine.topology.sensors}
            found = {}
            for name, unit in units.items():
                sensor = sensors.get(machine.sensor_names.get(name, name))
                if sensor is not None:
                    stored = self._settings.units.get(sensor.id) or unit or sensor.unit
                    try:
                        found[name] = _Column(sensor, conversion(stored, sensor.unit))
                    except SpecError as error:
                        raise SpecError(f"sensor {sensor.id}: {error}") from None
            self._found[equipment_id] = found
        return self._found[equipment_id]

    def _split(self, equipment_id: str, parts: list[FetchedSamples]) -> dict[str, Samples]:
        """Convert values and return the good samples by sensor.

        Where a sensor has several names, the last of an instant's values counts, as in files.
        """
        columns = self._columns(equipment_id)
        rows = in_order(parts, len(columns))
        ends = np.searchsorted(rows.sensor, np.arange(len(columns) + 1))
        found: dict[str, list[Samples]] = {}
        for number, (sensor, factors) in enumerate(columns.values()):
            part = slice(ends[number], ends[number + 1])
            value = rows.value[part] * factors.scale + factors.offset
            found.setdefault(sensor.id, []).append(judged(rows.time_us[part], value, sensor))
        return {name: in_order_of_time(pieces).samples.good() for name, pieces in found.items()}


def _close(pid: int, connector: TimescaleConnector) -> None:
    """Start to close the connections, in the process that opened them.

    Garbage may be collected in any thread, even the event loop's, so this must not wait.
    """
    if pid == os.getpid():
        start(connector.database.close())
