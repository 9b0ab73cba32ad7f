"""Copies of telemetry in the form that sources read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hydrascope.telemetry.folder.table_file import TIMESTAMP
from hydrascope.telemetry.init.headers import identifier
from hydrascope.telemetry.init.surveyed import Survey
from hydrascope.telemetry.init.tables import FLAG, LABEL, canonical, counts


def write_copies(found: Survey, folder: Path, into: Path) -> None:
    """Write each file of a folder as Parquet with the usual columns, without its labels.

    Args:
        found: What the folder contains.
        folder: The folder.
        into: The folder of the copies, which is created.
    """
    into.mkdir(parents=True)
    taken: set[Path] = set()
    for table, machine in zip(found.tables, found.names, strict=True):
        parts = table.path.resolve().relative_to(folder.resolve()).with_suffix("").parts
        path = _unused(into / f"{'_'.join(map(identifier, parts))}.parquet", taken)
        writer, first_row = None, 0
        for rows in table.chunks():
            frame = canonical(table, rows, first_row, machine, found.ids, found.time_zone)
            first_row += len(rows)
            kept = frame[[name for name in frame if not str(name).startswith(LABEL)]]
            kept = kept.rename(columns=lambda name: name.removeprefix(FLAG))
            if found.counter:
                kept = kept.assign(**{TIMESTAMP: counts(kept[TIMESTAMP])})
            content = pa.Table.from_pandas(kept, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(path, content.schema)
            writer.write_table(content.cast(writer.schema))
        if writer is not None:
            writer.close()


def _unused(path: Path, taken: set[Path]) -> Path:
    """Return a path that no other file takes, in a file system that ignores case too."""
    unused, number = path, 2
    while Path(str(unused).lower()) in taken:
        unused, number = path.with_stem(f"{path.stem}_{number}"), number + 1
    taken.add(Path(str(unused).lower()))
    return unused
