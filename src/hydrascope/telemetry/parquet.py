"""A folder of Parquet or CSV files as a source of telemetry."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from hydrascope.schemas import SpecError, validate
from hydrascope.telemetry.folder.index import Index, find_or_build
from hydrascope.telemetry.folder.labels import label_files, read_labels
from hydrascope.telemetry.folder.machine_files import check_units, read_machines
from hydrascope.telemetry.folder.reading import reading_of
from hydrascope.telemetry.folder.rows import read_samples
from hydrascope.telemetry.folder.samples import Samples, in_order
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.folder.table_file import find_tables, open_table
from hydrascope.telemetry.recorded import RecordedSource


class ParquetSource(RecordedSource):
    """Telemetry in files, narrow or wide, read by time range.

    Files may overlap, be unsorted and repeat rows: of one sensor and instant the last row wins, by
    the files' names and then by row. A sample is missing where its quality is not accepted or its
    value is outside the range of its sensor.

    The samples of a sensor lie at its extent's start + k / rate. Memory is bounded by the window
    that is read and the largest block (row group) of the files.

    Args:
        folder: Holds `*.parquet` and `*.csv`, at any depth.
        machines: File, folder or glob of the machine files; None: `machines/` inside the folder.
        labels: File, folder or glob of label files with the columns equipment_id, start, end and
            one a label; None: `labels/` inside the folder, if it is there.
        time_zone: IANA zone of times without one; None refuses such times.
        max_gap_s: An extent ends where no sensor has a good sample for longer.
        units: Units that the files hold, by sensor id, where they are not the machine file's; they
            win over a file's column `unit`.
        quality_accepted: Flags of good samples in the column `quality`; None: all.
        resample: Keys of `folder.settings.ResampleSettings`.

    Raises:
        SpecError: A setting, a machine file, a label file or the head of a file is refused.
    """

    def __init__(
        self,
        folder: str | Path,
        machines: str | None = None,
        labels: str | None = None,
        *,
        time_zone: str | None = None,
        max_gap_s: float = 10.0,
        units: Mapping[str, str] | None = None,
        quality_accepted: list[str | int] | None = None,
        resample: Mapping[str, object] | None = None,
    ) -> None:
        self._settings = settings = validate(
            FolderSettings,
            {
                "folder": folder,
                "machines": machines,
                "labels": labels,
                "time_zone": time_zone,
                "max_gap_s": max_gap_s,
                "units": units or {},
                "quality_accepted": quality_accepted,
                "resample": resample or {},
            },
            source="parquet source",
        )
        apart = label_files(settings.folder, settings.labels)
        tables = find_tables(settings.folder, apart)
        described = read_machines(settings.folder, settings.machines)
        check_units(described, settings.units)
        known = read_labels(apart, settings.time_zone, described)
        super().__init__(described, known, settings.max_gap_s, settings.resample)
        self._files = [open_table(path) for path in tables]
        self._reading = reading_of(described, settings)

    @cached_property
    def _index(self) -> Index:
        index = find_or_build(
            self._settings.folder, self._files, self._reading, self._settings.max_gap_s
        )
        if silent := [name for name, found in index.stretches_us.items() if not found]:
            raise SpecError(
                f"{self._settings.folder}: no good sample of machine {silent[0]!r} (python -m "
                "hydrascope check says why); expected telemetry for every machine file"
            )
        return index

    def _stretches_us(self, equipment_id: str) -> Sequence[tuple[int, int]]:
        return self._index.stretches_us[equipment_id]

    def _digests(self, equipment_id: str) -> Mapping[str, str]:
        return self._index.digests.get(equipment_id, {})

    def _samples(self, equipment_id: str, first_us: int, end_us: int) -> dict[str, Samples]:
        """Read the blocks of that time."""
        pieces: dict[str, list[Samples]] = {}
        for block in self._index.blocks:  # in the order of the files
            if block.last_us < first_us or block.first_us >= end_us:
                continue
            if block.equipment_id not in (None, equipment_id):
                continue
            read = read_samples(
                self._files[block.file], block, self._reading, first_us, end_us, equipment_id
            )
            for (_, sensor_id), samples in read.items():
                pieces.setdefault(sensor_id, []).extend(samples)
        return {name: in_order(found).samples.good() for name, found in pieces.items()}
