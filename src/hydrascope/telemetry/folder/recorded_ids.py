"""The ids of the machines in telemetry files."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc

from hydrascope.telemetry.folder.blocks import list_parts, read_batches
from hydrascope.telemetry.folder.quality import QualityNames
from hydrascope.telemetry.folder.table_file import EQUIPMENT, naming, open_table

_NO_FLAGS = QualityNames(None, frozenset())


def recorded_ids(paths: Sequence[Path]) -> list[str]:
    """Return the ids in the column `equipment_id` of all files, or in their folders' names.

    Raises:
        SpecError: A file is not telemetry, or is damaged.
    """
    found: set[str] = set()
    for path in paths:
        table = open_table(path, _NO_FLAGS)
        if EQUIPMENT in table.partition:
            found.add(table.partition[EQUIPMENT])
            continue
        with naming(path):
            for part, size in list_parts(table):
                for batch in read_batches(table, part, size, [EQUIPMENT]):
                    ids = pc.unique(batch.column(EQUIPMENT)).to_pylist()
                    found.update(str(each) for each in ids if each is not None)
    return sorted(found)
