"""Quality flags of n rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.blocks import Block, read_batches
from hydrascope.telemetry.folder.columns import codes
from hydrascope.telemetry.folder.quality import USUAL, canonical
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.folder.table_file import Table, TableFile


class Flagged(NamedTuple):
    """Masks [n] of the rows whose flag is not accepted, all false if flags are not judged."""

    of_row: NDArray[np.bool_]
    of_sensor: dict[str, NDArray[np.bool_]]
    columns: tuple[str, ...]
    """The columns of flags."""


def flagged_rows(batch: Any, table: Table, accepted: frozenset[str] | None) -> Flagged:
    """Compare the flags of a batch with the accepted ones; None accepts all."""
    of_row: NDArray[np.bool_] = np.zeros(batch.num_rows, dtype=np.bool_)
    of_sensor: dict[str, NDArray[np.bool_]] = {}
    if accepted is None:
        return Flagged(of_row, of_sensor, ())
    for name, sensor in table.flags:
        flag, flags = codes(batch, name, empty="")
        bad = ~np.array([canonical(each) in accepted for each in flags], dtype=np.bool_)[flag]
        if sensor is None:
            of_row = bad
        else:
            of_sensor[sensor] = bad
    return Flagged(of_row, of_sensor, tuple(flag.name for flag in table.flags))


def check_flags(place: object, tables: Sequence[Table], settings: ReadingSettings) -> None:
    """Refuse settings of flags if no table has flags.

    Args:
        place: Location of the tables, for the message.
        tables: All tables.
        settings: Settings to check.

    Raises:
        SpecError: A setting has no column; the message lists the columns.
    """
    if not tables or any(table.flags for table in tables):
        return
    listed = f"{tables[0].name} has the columns {', '.join(tables[0].columns)}"
    if settings.quality_column is not None:
        raise SpecError(
            f"{place}: quality_column is {settings.quality_column!r}, but there is no such column; "
            f"{listed}"
        )
    if settings.quality_accepted is not None:
        raise SpecError(
            f"{place}: quality_accepted is {list(settings.quality_accepted)}, but there is no "
            f"column of flags under a usual name ({', '.join(USUAL)}); name it in quality_column, "
            f"or leave quality_accepted out; {listed}"
        )


def flags_in(files: Sequence[TableFile], blocks: Sequence[Block]) -> list[str]:
    """Return the flags in the first block that has any, as written."""
    block = next((block for block in blocks if files[block.file].flags), None)
    if block is None:
        return []
    table = files[block.file]
    found: set[str] = set()
    for flag in table.flags:
        for batch in read_batches(table, block.part, block.size, [flag.name]):
            found.update(codes(batch, flag.name, empty="")[1])
    return sorted(found)
