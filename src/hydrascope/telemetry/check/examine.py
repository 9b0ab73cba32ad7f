"""Reads a telemetry folder as a source does, but continues where a source would stop."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import pandas as pd

from hydrascope.schemas import Machine, SpecError
from hydrascope.schemas.samples import SensorKey
from hydrascope.telemetry.folder.blocks import Block, list_blocks
from hydrascope.telemetry.folder.contents import Contents, recorded_ids
from hydrascope.telemetry.folder.discovery import PassedOver, find_tables
from hydrascope.telemetry.folder.flags import check_flags
from hydrascope.telemetry.folder.index import Index, by_machine, gathered
from hydrascope.telemetry.folder.labels import label_files, passed_over_labels, read_labels
from hydrascope.telemetry.folder.machine_files import check_units, read_machines
from hydrascope.telemetry.folder.reading import quality_names, reading_of
from hydrascope.telemetry.folder.rows import Pieces, read_samples
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.folder.statistics import SensorGatherer, SensorStatistics
from hydrascope.telemetry.folder.table_file import TableFile, open_table
from hydrascope.telemetry.folder.time_order import in_time_order
from hydrascope.telemetry.time_words import TimeWords

Progress = Callable[[str, int, int], object]
"""Takes (name of the step, total amount, amount done)."""


@dataclass
class Examination:
    """The content of a folder and its faults."""

    refused: list[str] = field(default_factory=list)
    """Faults for which a source would refuse the folder, one line each."""
    machines: Mapping[str, Machine] = field(default_factory=dict)
    sensors: dict[SensorKey, SensorStatistics] = field(default_factory=dict)
    labels: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    """The setting."""
    words: TimeWords = field(default_factory=TimeWords)
    """How the time of the folder is called."""
    passed_over: list[PassedOver] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    """Files without rows."""
    unjudged: list[Path] = field(default_factory=list)
    """Files with flags, if no accepted flags are set."""
    without_flags: list[Path] = field(default_factory=list)
    """Files without flags, if accepted flags are set."""
    several_flags: list[TableFile] = field(default_factory=list)
    """Files with more columns of flags than are used."""

    @property
    def by_machine(self) -> dict[str, dict[str, SensorStatistics]]:
        """The statistics by equipment id and sensor id."""
        return by_machine(self.sensors)

    @classmethod
    def of(cls, contents: Contents, index: Index) -> "Examination":
        """Return what a source already knows of its folder."""
        sensors = {
            (machine, sensor): stats
            for machine, every in index.statistics.items()
            for sensor, stats in every.items()
        }
        found = cls([], contents.machines, sensors, contents.labels)
        found.units, found.passed_over = contents.reading.units, contents.passed_over
        found.words = TimeWords(contents.reading.time_zone)
        judges = contents.reading.quality_accepted is not None
        found.look_at_files(contents.files, index.blocks, judges=judges)
        return found

    def look_at_files(
        self, files: Sequence[TableFile], blocks: Sequence[Block], *, judges: bool
    ) -> None:
        """Record which files have no rows, and which have unjudged or no flags."""
        self.several_flags = [file for file in files if file.flags and file.spare_flags]
        read = {block.file for block in blocks}
        self.empty = [file.path for number, file in enumerate(files) if number not in read]
        if judges:
            self.without_flags = [file.path for file in files if not file.flags]
        else:
            self.unjudged = [file.path for file in files if file.flags]


def examine(settings: FolderSettings, progress: Progress) -> Examination:
    """Read all files of a folder once, in bounded memory.

    Raises:
        SpecError: The folder contains no telemetry.
    """
    found = Examination(units=settings.units, words=TimeWords(settings.time_zone))
    try:
        apart = label_files(settings.folder, settings.labels)
    except SpecError as error:
        apart = []
        found.refused.append(str(error))
    tables, passed_over = find_tables(settings.folder, apart)
    found.passed_over = passed_over + passed_over_labels(settings.folder, settings.labels)
    try:
        recorded = cache(partial(recorded_ids, tables))
        found.machines = read_machines(settings.folder, settings.machines, recorded)
        check_units(found.machines, settings.units)
        found.labels = read_labels(apart, settings.time_zone, found.machines, recorded)
    except SpecError as error:
        found.refused.append(str(error))

    files, blocks = _list(tables, settings, found, progress)
    try:
        check_flags(settings.folder, files, settings)
    except SpecError as error:
        found.refused.append(str(error))
    found.look_at_files(files, blocks, judges=settings.quality_accepted is not None)
    found.sensors = _gather(files, blocks, found, settings, progress)
    return found


def _list(
    paths: Sequence[Path], settings: FolderSettings, found: Examination, progress: Progress
) -> tuple[list[TableFile], list[Block]]:
    names = quality_names(found.machines, settings)
    files: list[TableFile] = []
    blocks: list[Block] = []
    for number, path in enumerate(paths):
        try:
            table = open_table(path, names)
            blocks += list(list_blocks(len(files), table, settings.time_zone))
            files.append(table)
        except SpecError as error:
            found.refused.append(str(error))
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
    gatherers: defaultdict[SensorKey, SensorGatherer] = defaultdict(
        partial(SensorGatherer, settings.max_gap_s)
    )
    for slice_ in in_time_order(blocks, read, partial(progress, "reading samples", total)):
        for key, ordered in slice_.items():
            gatherers[key].add(ordered)
    return gathered(gatherers, reading)
