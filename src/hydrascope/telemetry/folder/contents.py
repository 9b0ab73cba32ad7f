"""The contents of a folder: machines, labels, file heads and the files passed over."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.compute as pc

from hydrascope.schemas import Machine
from hydrascope.telemetry.folder.blocks import list_parts, read_batches
from hydrascope.telemetry.folder.discovery import PassedOver, find_tables
from hydrascope.telemetry.folder.flags import check_flags
from hydrascope.telemetry.folder.labels import label_files, passed_over_labels, read_labels
from hydrascope.telemetry.folder.machine_files import check_units, read_machines
from hydrascope.telemetry.folder.quality import QualityNames
from hydrascope.telemetry.folder.reading import Reading, quality_names, reading_of
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.folder.table_file import EQUIPMENT, TableFile, naming, open_table

_NO_FLAGS = QualityNames(None, frozenset())


class Contents(NamedTuple):
    """A folder whose settings, machine files, label files and file heads are valid."""

    folder: Path
    machines: Mapping[str, Machine]
    labels: Mapping[str, pd.DataFrame]
    files: list[TableFile]
    passed_over: list[PassedOver]
    reading: Reading


def open_contents(settings: FolderSettings) -> Contents:
    """Read everything in a folder except its samples.

    Raises:
        SpecError: A setting, machine file, label file or the head of a file is invalid.
    """
    apart = label_files(settings.folder, settings.labels)
    tables, passed_over = find_tables(settings.folder, apart)
    recorded = cache(partial(recorded_ids, tables))
    machines = read_machines(settings.folder, settings.machines, recorded)
    check_units(machines, settings.units)
    labels = read_labels(apart, settings.time_zone, machines, recorded)
    names = quality_names(machines, settings)
    files = [open_table(path, names) for path in tables]
    check_flags(settings.folder, files, settings)
    return Contents(
        settings.folder,
        machines,
        labels,
        files,
        passed_over + passed_over_labels(settings.folder, settings.labels),
        reading_of(machines, settings),
    )


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
