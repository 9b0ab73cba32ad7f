"""Read a telemetry folder as a source would, but go on where a source would stop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hydrascope.schemas import Machine, SpecError
from hydrascope.telemetry.check.statistics import SensorGatherer, SensorStatistics
from hydrascope.telemetry.folder.blocks import Block, list_blocks
from hydrascope.telemetry.folder.labels import label_files, read_labels
from hydrascope.telemetry.folder.machine_files import check_units, read_machines
from hydrascope.telemetry.folder.reading import reading_of
from hydrascope.telemetry.folder.rows import Pieces, read_samples
from hydrascope.telemetry.folder.samples import SensorKey
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.folder.table_file import QUALITY, TableFile, find_tables, open_table
from hydrascope.telemetry.folder.time_order import in_time_order

Progress = Callable[[str, int, int], object]
"""(what is done, how much in all, how far)."""


@dataclass
class Examination:
    """What was found in a folder."""

    refused: list[str] = field(default_factory=list)
    """What a source would refuse, one line each."""
    machines: dict[str, Machine] = field(default_factory=dict)
    sensors: dict[SensorKey, SensorStatistics] = field(default_factory=dict)
    labelled: set[str] = field(default_factory=set)
    """Machines that have labels."""
    unjudged_quality: list[Path] = field(default_factory=list)
    """Files with flags of which none was said to be good."""


def examine(settings: FolderSettings, progress: Progress) -> Examination:
    """Read all files of a folder once, in bounded memory.

    Raises:
        SpecError: There is no telemetry at all.
    """
    found = Examination()
    try:
        apart = label_files(settings.folder, settings.labels)
    except SpecError as error:
        apart = []
        found.refused.append(str(error))
    tables = find_tables(settings.folder, apart)
    try:
        found.machines = read_machines(settings.folder, settings.machines)
        check_units(found.machines, settings.units)
        labels = read_labels(apart, settings.time_zone, found.machines)
        found.labelled = {name for name, table in labels.items() if len(table)}
    except SpecError as error:
        found.refused.append(str(error))

    files, blocks = _list(tables, settings.time_zone, found.refused, progress)
    if settings.quality_accepted is None:
        found.unjudged_quality = [file.path for file in files if QUALITY in file.columns]
    found.sensors = _gather(files, blocks, found, settings, progress)
    return found


def _list(
    paths: Sequence[Path], time_zone: str | None, refused: list[str], progress: Progress
) -> tuple[list[TableFile], list[Block]]:
    files: list[TableFile] = []
    blocks: list[Block] = []
    for number, path in enumerate(paths):
        try:
            table = open_table(path)
            blocks += list(list_blocks(len(files), table, time_zone))
            files.append(table)
        except SpecError as error:
            refused.append(str(error))
        progress("looking through files", len(paths), number + 1)
    return files, blocks


def _gather(
    files: Sequence[TableFile],
    blocks: Sequence[Block],
    found: Examination,
    settings: FolderSettings,
    progress: Progress,
) -> dict[SensorKey, SensorStatistics]:
    reading = reading_of(found.machines, settings, unlisted=True)
    faulty: set[int] = set()

    def read(block: Block, first_us: int, end_us: int | None) -> Pieces:
        if block.file in faulty:
            return {}
        try:
            return read_samples(files[block.file], block, reading, first_us, end_us)
        except SpecError as error:
            faulty.add(block.file)
            found.refused.append(str(error))
            return {}

    total = sum(block.cells for block in blocks)
    gatherers: dict[SensorKey, SensorGatherer] = {}
    for slice_ in in_time_order(blocks, read, partial(progress, "reading samples", total)):
        for key, ordered in slice_.items():
            gatherers.setdefault(key, SensorGatherer()).add(ordered)
    rates_hz = {
        (machine, spec.id): spec.rate_hz
        for machine, sensors in reading.sensors.items()
        for spec in sensors.values()
    }
    return {key: gatherers[key].statistics(rates_hz.get(key)) for key in sorted(gatherers)}
