"""A folder of Parquet or CSV files as a source of telemetry."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from hydrascope.schemas import SpecError, validate
from hydrascope.schemas.samples import Samples, in_order
from hydrascope.telemetry.check.examine import Examination
from hydrascope.telemetry.check.findings import findings, folded
from hydrascope.telemetry.check.sensor_findings import Severity
from hydrascope.telemetry.folder.contents import open_contents
from hydrascope.telemetry.folder.flags import flags_in
from hydrascope.telemetry.folder.index import Index, find_or_build
from hydrascope.telemetry.folder.rows import read_samples
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.recorded import RecordedSource
from hydrascope.telemetry.time_words import TimeWords

_FEW = 10
"""How many flags a message lists."""


class ParquetSource(RecordedSource):
    """Telemetry in files, narrow or wide, read by time range.

    Files may overlap, be unsorted and repeat rows. Of several rows for a sensor and instant, the
    last one counts, by file name and then by row. A sample counts as missing if its quality is not
    accepted or its value is outside the sensor's range.

    The samples of a sensor lie at its extent's start + k / rate. Memory is bounded by the window
    that is read and the largest block (row group) of the files.

    Args:
        folder: Contains `*.parquet` and `*.csv` files, at any depth.
        settings: Other keys of `folder.settings.FolderSettings`.

    Raises:
        SpecError: A setting, machine file, label file or the head of a file is invalid.
    """

    def __init__(self, folder: str | Path, **settings: object) -> None:
        given = {"folder": folder, **settings}
        self._settings = validate(FolderSettings, given, source="parquet source")
        self._contents = contents = open_contents(self._settings)
        super().__init__(contents.machines, contents.labels, self._settings)

    @cached_property
    def _index(self) -> Index:
        files, reading = self._contents.files, self._contents.reading
        index = find_or_build(self._settings.folder, files, reading, self._settings.max_gap_s)
        if unread := [name for name, found in index.stretches_us.items() if not found]:
            stats = index.statistics.get(unread[0], {}).values()
            if any(each.bad_quality for each in stats):
                raise SpecError(
                    f"{self._settings.folder}: no sample of machine {unread[0]!r} has an accepted "
                    f"flag; quality_accepted is {list(self._settings.quality_accepted or ())}, the "
                    f"flags are {', '.join(map(repr, flags_in(files, index.blocks)[:_FEW]))}"
                )
            said = findings(Examination.of(self._contents, index))
            why = next(each.line for each in said if each.severity is Severity.STOPS)
            raise SpecError(f"{self._settings.folder}: {why}")
        return index

    @property
    def time_words(self) -> TimeWords:
        """How messages call the time of this folder."""
        return TimeWords(self._settings.time_zone)

    def remarks(self) -> list[str]:
        """Return the findings of a check of the folder that harm a training, one line each."""
        found = findings(Examination.of(self._contents, self._index))
        harms = [each for each in found if each.severity <= Severity.HARMS]
        lines = [each.line for each in folded(harms)]
        if notes := len(found) - len(harms):
            more = "a note more" if notes == 1 else f"{notes} notes more"
            lines.append(f"{self._settings.folder}: python -m hydrascope check shows {more}")
        return lines

    def _stretches_us(self, equipment_id: str) -> Sequence[tuple[int, int]]:
        return self._index.stretches_us[equipment_id]

    def _digests(self, equipment_id: str) -> Mapping[str, str]:
        return self._index.digests.get(equipment_id, {})

    def _samples(self, equipment_id: str, first_us: int, end_us: int) -> dict[str, Samples]:
        """Read the good samples from the blocks that overlap the time range."""
        files, reading = self._contents.files, self._contents.reading
        pieces: dict[str, list[Samples]] = {}
        for block in self._index.blocks:  # in the order of the files
            if block.last_us < first_us or block.first_us >= end_us:
                continue
            if block.equipment_id not in (None, equipment_id):
                continue
            file = files[block.file]
            read = read_samples(file, block, reading, first_us, end_us, equipment_id)
            for (_, sensor_id), samples in read.items():
                pieces.setdefault(sensor_id, []).extend(samples)
        return {name: in_order(found).samples.good() for name, found in pieces.items()}
