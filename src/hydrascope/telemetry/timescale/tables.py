"""The interface of tables of telemetry, and the fetching of their rows.

Values reach the server as parameters. COPY takes no parameters, and identifiers cannot be
parameters; there, the server's own `format` builds the statement and quotes identifiers (`%I`) and
values (`%L`). Statements are never built here from user input.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hydrascope.telemetry.timescale.copy_format import CopyReader, RowFormat
from hydrascope.telemetry.timescale.database import Connection

T = TypeVar("T")


class FetchedSamples(NamedTuple):
    """n samples in any order."""

    time_us: NDArray[np.int64]
    """The times [n] since 1970-01-01T00:00Z."""
    sensor: NDArray[np.unsignedinteger]
    """The positions [n] in the list of requested sensors, of type `code_type`."""
    value: NDArray[np.float64]
    """The values [n] as stored; NaN where the table is empty."""


def code_type(sensors: int) -> np.dtype[Any]:
    """Return the smallest type for the positions of `sensors` sensors."""
    return np.min_scalar_type(max(sensors - 1, 0))


class Selection(NamedTuple):
    """A selection of rows."""

    equipment_id: str
    sensors: tuple[str, ...]
    first_us: int
    end_us: int
    quality: tuple[int, ...] | None = None
    """Accepted flags; None: all."""


class SampleTable(Protocol):
    """A table of telemetry; each method runs a few statements on a connection."""

    async def sensors(self, connection: Connection, equipment_id: str) -> dict[str, str | None]:
        """Return the unit (None: unknown) of each sensor of a machine.

        Raises:
            SpecError: There is no such machine; the message lists those that exist.
        """
        ...

    async def bounds_us(
        self, connection: Connection, equipment_id: str, sensors: Sequence[str]
    ) -> tuple[int, int] | None:
        """Return the first and last time of all rows of these sensors, or None without rows."""
        ...

    async def count(self, connection: Connection, selection: Selection) -> int:
        """Return an upper estimate of the number of values to read."""
        ...

    async def read(self, connection: Connection, selection: Selection) -> list[FetchedSamples]:
        """Return the rows in parts."""
        ...

    async def state(self, connection: Connection, equipment_id: str) -> str | None:
        """Return a text that changes with the machine's telemetry, or None if there is none."""
        ...


async def copy_out(
    connection: Connection,
    rows: RowFormat,
    convert: Callable[[dict[str, NDArray[Any]]], T],
    template: str,
    *values: object,
) -> list[T]:
    """Run a query by COPY and return its rows, converted part by part.

    Args:
        connection: The connection.
        rows: Types of the query's columns.
        convert: Converts the columns of some rows to the result that is kept.
        template: The query, for the server's `format`.
        values: Values that `format` quotes into it.
    """
    query = await connection.fetchval(
        "SELECT format($1, VARIADIC $2::text[])", template, [str(value) for value in values]
    )
    reader = CopyReader(rows, convert)
    await connection.copy_from_query(query, output=reader.write, format="binary")
    return reader.parts()


_INHERITED = "SELECT inhparent AS whole, inhrelid AS part FROM pg_inherits"
# TimescaleDB deletes whole batches of compressed rows, which only the compressed chunk counts. Its
# catalogue links the two from version 2.19 on.
_COMPRESSES = """
SELECT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('_timescaledb_catalog.compression_settings')
    AND attname = 'compress_relid'
)
"""
_COMPRESSED = """
UNION ALL SELECT relid, compress_relid FROM _timescaledb_catalog.compression_settings
WHERE compress_relid IS NOT NULL
"""
_COUNTERS = """
WITH RECURSIVE parts(relation) AS (
    SELECT $1::oid
    UNION
    SELECT part FROM ({links}) AS link JOIN parts ON whole = relation
)
SELECT bool_and(relkind IN ('r', 'p')) AND current_setting('track_counts')::bool AS counted,
       (SELECT system_identifier FROM pg_control_system()) AS server,
       md5(string_agg(concat_ws(' ', relation::bigint, pg_relation_filenode(relation),
                                n_tup_ins, n_tup_upd, n_tup_del), ',' ORDER BY relation)) AS state
FROM parts JOIN pg_class ON pg_class.oid = relation
LEFT JOIN pg_stat_all_tables ON relid = relation
"""


async def write_counters(connection: Connection, relation: int) -> str | None:
    """Return a text that changes with every write to a table, its partitions or its chunks.

    It consists of the server's own statistics, so it covers all writers. The server publishes them
    at most ten seconds after a write. The result is None for a view, and if statistics are off.
    """
    compresses = await connection.fetchval(_COMPRESSES)
    links = _INHERITED + _COMPRESSED if compresses else _INHERITED
    row = await connection.fetchrow(_COUNTERS.format(links=links), relation)
    return f"{row['server']} {row['state']}" if row["counted"] else None
