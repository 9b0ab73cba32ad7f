"""What a table of telemetry answers, whatever its layout; and how its rows are fetched.

Values reach the server as parameters. Where COPY, which takes none, or an identifier is concerned,
the statement is put together by the server's own `format`, which quotes both: `%I` an identifier,
`%L` a value. No statement is ever put together here from what somebody gave us.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hydrascope.telemetry.timescale.copy_format import CopyReader, RowFormat
from hydrascope.telemetry.timescale.database import Connection

T = TypeVar("T")


class FetchedSamples(NamedTuple):
    """n samples as they come, in any order."""

    time_us: NDArray[np.int64]
    """[n], since 1970-01-01T00:00Z."""
    sensor: NDArray[np.unsignedinteger]
    """[n], position in the list of sensors that was asked for; of the type `code_type`."""
    value: NDArray[np.float64]
    """[n], as stored; NaN where the table has nothing."""


def code_type(sensors: int) -> np.dtype[Any]:
    """Return the smallest type for the positions of so many sensors."""
    return np.min_scalar_type(max(sensors - 1, 0))


class Selection(NamedTuple):
    """Which rows are meant."""

    equipment_id: str
    sensors: tuple[str, ...]
    first_us: int
    end_us: int
    quality: tuple[int, ...] | None = None
    """Accepted flags; None: all."""


class SampleTable(Protocol):
    """A table of telemetry; each method is one or a few statements on a connection."""

    async def sensors(self, connection: Connection, equipment_id: str) -> dict[str, str | None]:
        """Return the unit (None: not known) of each of a machine's sensors.

        Raises:
            SpecError: There is no such machine; naming those there are.
        """
        ...

    async def bounds_us(
        self, connection: Connection, equipment_id: str, sensors: Sequence[str]
    ) -> tuple[int, int] | None:
        """Return the first and the last time of any row of these sensors; None without rows."""
        ...

    async def count(self, connection: Connection, selection: Selection) -> int:
        """Return about how many values would be read, not fewer."""
        ...

    async def read(self, connection: Connection, selection: Selection) -> list[FetchedSamples]:
        """Return the rows, in parts."""
        ...

    async def state(self, connection: Connection, equipment_id: str) -> str | None:
        """Return what changes whenever the machine's telemetry does; None where nothing tells."""
        ...


async def copy_out(
    connection: Connection,
    rows: RowFormat,
    made: Callable[[dict[str, NDArray[Any]]], T],
    template: str,
    *values: object,
) -> list[T]:
    """Return what is made of a query's columns, part by part.

    Args:
        connection: To ask on.
        rows: Types of the query's columns.
        made: Returns what is kept of the columns of some rows.
        template: The query, for the server's `format`.
        values: What `format` quotes into it.
    """
    query = await connection.fetchval(
        "SELECT format($1, VARIADIC $2::text[])", template, [str(value) for value in values]
    )
    reader = CopyReader(rows, made)
    await connection.copy_from_query(query, output=reader.write, format="binary")
    return reader.parts()


_COUNTERS = """
WITH RECURSIVE parts(relation) AS (
    SELECT $1::oid
    UNION ALL
    SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = relation
)
SELECT bool_and(relkind IN ('r', 'p')) AND current_setting('track_counts')::bool AS counted,
       (SELECT system_identifier FROM pg_control_system()) AS server,
       md5(string_agg(concat_ws(' ', relation::bigint, pg_relation_filenode(relation),
                                n_tup_ins, n_tup_upd, n_tup_del), ',' ORDER BY relation)) AS state
FROM parts JOIN pg_class ON pg_class.oid = relation
LEFT JOIN pg_stat_all_tables ON relid = relation
"""


async def write_counters(connection: Connection, relation: int) -> str | None:
    """Return what changes with every write to a table, its partitions or its chunks.

    These are the server's own statistics, so that it does not matter who writes; it publishes
    them some seconds (at most ten) after a write. None for a view, and where they are switched off.
    """
    row = await connection.fetchrow(_COUNTERS, relation)
    return f"{row['server']} {row['state']}" if row["counted"] else None
