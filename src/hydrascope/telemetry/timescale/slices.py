"""Reads all rows of a selection in slices of time that fit into memory."""

from collections.abc import AsyncIterator

from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.tables import FetchedSamples, SampleTable, Selection

SLICE_ROWS = 1_000_000
"""The target number of rows of a slice; each takes some 35 bytes during the fetch."""
_FIRST_SPAN_US = 60_000_000
_GROWTH = 16
"""The largest ratio of the lengths of two consecutive slices."""


async def slices(
    database: Database, table: SampleTable, selection: Selection, rows: int = SLICE_ROWS
) -> AsyncIterator[list[FetchedSamples]]:
    """Yield non-empty slices, each as a list of parts.

    Rows are counted before the fetch, and a slice with too many is shortened. Each slice is a
    separate request, so after a lost connection only the current one is repeated.
    """
    begin, span = selection.first_us, _FIRST_SPAN_US

    async def fetch(connection: Connection) -> tuple[list[FetchedSamples], int, int]:
        length = span
        while True:
            part = selection._replace(first_us=begin, end_us=min(begin + length, selection.end_us))
            count = await table.count(connection, part)
            if count <= 2 * rows or length <= 1:
                return await table.read(connection, part), part.end_us, count
            length = max(1, length * rows // count)

    while begin < selection.end_us:
        found, end, count = await database.run(fetch)
        span = min((end - begin) * _GROWTH, max(1, (end - begin) * rows // max(count, 1)))
        begin = end
        if any(len(part.time_us) for part in found):
            yield found
        del found
