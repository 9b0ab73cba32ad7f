"""A folder of Parquet or CSV files as a source of telemetry."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from hydrascope.schemas import Machine, SensorSpec, SpecError, TimeWindow, validate
from hydrascope.telemetry.fingerprint import fingerprint
from hydrascope.telemetry.folder.index import Index, find_or_build
from hydrascope.telemetry.folder.labels import label_files, read_labels
from hydrascope.telemetry.folder.machine_files import check_units, read_machines
from hydrascope.telemetry.folder.reading import reading_of
from hydrascope.telemetry.folder.resampling import instants, margin_us, resample
from hydrascope.telemetry.folder.rows import read_samples
from hydrascope.telemetry.folder.samples import Samples, in_order
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.folder.table_file import find_tables, open_table
from hydrascope.telemetry.source import Signal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ParquetSource:
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
        self._machines = read_machines(settings.folder, settings.machines)
        check_units(self._machines, settings.units)
        self._labels = read_labels(apart, settings.time_zone, self._machines)
        self._files = [open_table(path) for path in tables]
        self._reading = reading_of(self._machines, settings)

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

    @cached_property
    def fingerprint(self) -> str:
        """Hash of samples, machines, labels and the settings that make signals of them.

        Of the samples, not of the files: see `telemetry.fingerprint`.
        """
        return fingerprint(self._machines, self._index.digests, self._labels, self._answers)

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Hash of what decides one machine's signals: labels and other machines do not."""
        self._refuse_unknown(equipment_id)
        machine = {equipment_id: self._machines[equipment_id]}
        samples = {equipment_id: self._index.digests.get(equipment_id, {})}
        return fingerprint(machine, samples, {}, self._answers)

    @property
    def _answers(self) -> dict[str, object]:
        """Settings that decide how samples become signals and extents."""
        return {
            "max_gap_s": self._settings.max_gap_s,
            "resample": self._settings.resample.model_dump(mode="json"),
        }

    def machines(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id."""
        return self._machines

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the stretches in which at least one sensor has good samples, in order of time."""
        self._refuse_unknown(equipment_id)
        return [
            TimeWindow(start=_time(start_us), end=_time(end_us))
            for start_us, end_us in self._index.stretches_us[equipment_id]
        ]

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Return the samples with `window.start <= time < window.end`, by sensor id.

        Every sensor of the machine file is there; one that has no samples is all NaN.

        Raises:
            ValueError: The machine is unknown or the window leaves its extents.
            SpecError: A file is damaged.
        """
        self._refuse_unknown(equipment_id)
        first_us, end_us = _microseconds(window.start), _microseconds(window.end)
        stretches = self._index.stretches_us[equipment_id]
        holding = (start for start, end in stretches if start <= first_us and end_us <= end)
        extent_us = next(holding, None)
        if extent_us is None:
            extents = self.extents(equipment_id)
            recorded = ", ".join(map(str, extents[:3])) + (" …" if len(extents) > 3 else "")
            raise ValueError(f"no telemetry of {equipment_id!r} in {window}; recorded: {recorded}")
        samples = self._samples(equipment_id, first_us, end_us)
        return {
            sensor.id: self._signal(sensor, samples.get(sensor.id), extent_us, first_us, end_us)
            for _, sensor in self._machines[equipment_id].topology.sensors
        }

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the machine's rows of the label files, ordered by time, without overlap."""
        self._refuse_unknown(equipment_id)
        return self._labels[equipment_id].copy()

    def _samples(self, equipment_id: str, first_us: int, end_us: int) -> dict[str, Samples]:
        """Read the good samples of a time and of the margin that decides its first and last."""
        resampling = self._settings.resample
        hold_us = _whole_us(resampling.hold_s)
        slowest_hz = min(s.rate_hz for s in self._reading.sensors[equipment_id].values())
        margin = margin_us(slowest_hz, hold_us)
        first_us, end_us = first_us - margin, end_us + margin
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

    def _signal(
        self,
        sensor: SensorSpec,
        samples: Samples | None,
        extent_us: int,
        first_us: int,
        end_us: int,
    ) -> Signal:
        resampling = self._settings.resample
        rate_hz = resampling.rate_hz or sensor.rate_hz
        at_us = instants(extent_us, first_us, end_us, rate_hz)
        if samples is None:
            return Signal(np.full(len(at_us), np.nan, dtype=np.float32), rate_hz)
        values = resample(
            samples.time_us,
            samples.value,
            at_us,
            period_us=1e6 / sensor.rate_hz,
            rate_hz=rate_hz,
            method=resampling.method,
            hold_us=_whole_us(resampling.hold_s),
        )
        return Signal(values, rate_hz)

    def _refuse_unknown(self, equipment_id: str) -> None:
        if equipment_id not in self._machines:
            known = ", ".join(map(repr, self._machines))
            raise ValueError(f"no machine {equipment_id!r}; there is: {known}")


def _whole_us(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e6)


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(time_us: int) -> datetime:
    return _EPOCH + time_us * _MICROSECOND
