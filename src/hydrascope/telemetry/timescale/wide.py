"""An existing table of another application, with one row per instant and one column per sensor."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.errors import SpecError, closest
from hydrascope.telemetry.times import as_microseconds, as_time
from hydrascope.telemetry.timescale.copy_format import RowFormat, from_postgres_us
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.telemetry.timescale.narrow import refuse_unknown_sensors
from hydrascope.telemetry.timescale.settings import WideTableSettings
from hydrascope.telemetry.timescale.tables import (
    FetchedSamples,
    Selection,
    code_type,
    copy_out,
    write_counters,
)

_NUMBERS = ("smallint", "integer", "bigint", "real", "double precision", "numeric")
_ZONED, _PLAIN = "timestamp with time zone", "timestamp without time zone"

_COLUMNS = """
SELECT relation.oid, nspname, relname, attname, format_type(atttypid, NULL) AS type
FROM pg_class AS relation
JOIN pg_namespace ON pg_namespace.oid = relnamespace
JOIN pg_attribute ON attrelid = relation.oid
WHERE relation.oid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""


class _Found(NamedTuple):
    """The table's properties from the catalogue."""

    relation: int
    path: tuple[str, str]
    """The schema and the name."""
    zoned: bool
    """Whether times have a zone."""
    columns: dict[str, str]
    """The column of each sensor."""


class WideTable:
    """A wide table, with a mapping of its columns."""

    def __init__(self, settings: WideTableSettings) -> None:
        self._settings = settings
        self._known: _Found | None = None

    async def sensors(self, connection: Connection, equipment_id: str) -> dict[str, str | None]:
        """Return the sensors that have a column, without units."""
        found = await self._found(connection)
        exists = await self._fetch(
            connection, "SELECT EXISTS (SELECT FROM %I.%I WHERE %I = %L)",
            *found.path, self._settings.equipment, equipment_id,
        )  # fmt: skip
        if not exists[0][0]:
            rows = await self._fetch(
                connection,
                "SELECT DISTINCT id::text FROM (SELECT %I AS id FROM %I.%I LIMIT 100000) AS seen "
                "ORDER BY 1 LIMIT 20",
                self._settings.equipment, *found.path,
            )  # fmt: skip
            known = [str(row[0]) for row in rows]
            listed = ", ".join(map(repr, known)) or "none yet"
            raise SpecError(
                f"{self._settings.name}: no machine {equipment_id!r}; there is: {listed}"
                + closest(equipment_id, known)
            )
        return dict.fromkeys(found.columns)

    async def bounds_us(
        self,
        connection: Connection,
        equipment_id: str,
        sensors: Sequence[str],  # noqa: ARG002, a row holds them all
    ) -> tuple[int, int] | None:
        """Return the first and last time of the machine's rows, even if they are empty."""
        found = await self._found(connection)
        rows = await self._fetch(
            connection,
            f"SELECT min({self._time(found, 1)}), max({self._time(found, 1)}) FROM %3$I.%4$I "
            "WHERE %5$I = %6$L AND %1$I > '-infinity' AND %1$I < 'infinity'",
            self._settings.time, self._settings.time_zone or "UTC",
            *found.path, self._settings.equipment, equipment_id,
        )  # fmt: skip
        first, last = rows[0]
        return None if first is None else (as_microseconds(first), as_microseconds(last))

    async def count(self, connection: Connection, selection: Selection) -> int:
        """Count the cells."""
        found = await self._found(connection)
        rows = await self._fetch(
            connection, "SELECT count(*)" + self._where(found), *self._values(found, selection)
        )
        return int(rows[0][0]) * len(selection.sensors)

    async def read(self, connection: Connection, selection: Selection) -> list[FetchedSamples]:
        """Copy the rows and concatenate their columns; an empty cell is not a sample."""
        found = await self._found(connection)
        refuse_unknown_sensors(selection.equipment_id, selection.sensors, list(found.columns))
        values = self._values(found, selection)
        wanted = [self._time(found, 1)]
        kinds = {"time": "i8"}
        for number, sensor in enumerate(selection.sensors):
            values.append(found.columns[sensor])
            wanted.append(f"coalesce(%{len(values)}$I::double precision, 'NaN')")
            kinds[str(number)] = "f8"
        query = f"SELECT {', '.join(wanted)}" + self._where(found)
        kind = code_type(len(selection.sensors))

        def rows(columns: dict[str, NDArray[Any]]) -> FetchedSamples:
            value = np.concatenate([columns.pop(str(k)) for k in range(len(selection.sensors))])
            filled = ~np.isnan(value)
            time_us = from_postgres_us(columns["time"])
            code = np.arange(len(selection.sensors), dtype=kind).repeat(len(time_us))
            time_us = np.tile(time_us, len(selection.sensors))
            return FetchedSamples(time_us[filled], code[filled], value[filled])

        if not selection.sensors:
            return []
        return await copy_out(connection, RowFormat(kinds), rows, query, *values)

    async def state(self, connection: Connection, equipment_id: str) -> str | None:
        """Join the counters of the table with the machine's last time."""
        found = await self._found(connection)
        counters = await write_counters(connection, found.relation)
        if counters is None:
            return None
        bounds = await self.bounds_us(connection, equipment_id, ())
        return f"{bounds} {counters}"

    def _where(self, found: _Found) -> str:
        """Return FROM and WHERE; bounds are cast to the column type, so that its index applies."""
        zone = "" if found.zoned else " AT TIME ZONE %2$L"
        return (
            " FROM %3$I.%4$I WHERE %5$I = %6$L "
            f"AND %1$I >= %7$L::timestamptz{zone} AND %1$I < %8$L::timestamptz{zone}"
        )

    def _values(self, found: _Found, selection: Selection) -> list[object]:
        return [
            self._settings.time,
            self._settings.time_zone or "UTC",
            *found.path,
            self._settings.equipment,
            selection.equipment_id,
            as_time(selection.first_us),
            as_time(selection.end_us),
        ]

    @staticmethod
    def _time(found: _Found, position: int) -> str:
        return f"%{position}$I" + ("" if found.zoned else " AT TIME ZONE %2$L")

    async def _found(self, connection: Connection) -> _Found:
        if self._known is None:
            self._known = self._judged(await connection.fetch(_COLUMNS, self._settings.name))
        return self._known

    def _judged(self, rows: Sequence[Any]) -> _Found:
        """Check the mapping against the table."""
        mapping = self._settings
        if not rows:
            raise SpecError(
                f"{mapping.name!r} does not exist; expected a table's name", path="table.name"
            )
        types = {row["attname"]: row["type"] for row in rows}
        for key, column in (
            ("time", mapping.time),
            ("equipment", mapping.equipment),
            *((f"columns.{sensor}", column) for sensor, column in mapping.columns.items()),
        ):
            if column not in types:
                listed = ", ".join(list(types)[:20]) + (" …" if len(types) > 20 else "")
                raise SpecError(
                    f"table.{key}: {mapping.name} has no column {column!r}; it has: {listed}"
                    + closest(column, list(types))
                )
        kind = types[mapping.time]
        if kind not in (_ZONED, _PLAIN):
            raise SpecError(
                f"{mapping.time} is of type {kind}; expected {_ZONED}", path="table.time"
            )
        if kind == _PLAIN and mapping.time_zone is None:
            raise SpecError(
                f"{mapping.time} is of type {kind}; expected the IANA zone of its "
                "times, as in UTC or Europe/Berlin",
                path="table.time_zone",
            )
        renamed = {column: sensor for sensor, column in mapping.columns.items()}
        for column in renamed:
            if types[column] not in _NUMBERS:
                raise SpecError(
                    f"table.columns.{renamed[column]}: {column} is of type {types[column]}; "
                    f"expected one of: {', '.join(_NUMBERS)}"
                )
        taken = (mapping.time, mapping.equipment)
        columns = {
            renamed.get(column, column): column
            for column, type_ in types.items()
            if column not in taken and type_ in _NUMBERS
        }
        path = (rows[0]["nspname"], rows[0]["relname"])
        return _Found(rows[0]["oid"], path, kind == _ZONED, columns)

    @staticmethod
    async def _fetch(connection: Connection, template: str, *values: object) -> Sequence[Any]:
        """Run a query whose identifiers and values the server quotes."""
        texts = [str(value) for value in values]
        query = await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", template, texts)
        rows: Sequence[Any] = await connection.fetch(query)
        return rows
