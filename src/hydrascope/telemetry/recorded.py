"""The common part of all sources of recorded samples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

import pandas as pd

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.schemas.samples import Samples
from hydrascope.telemetry.fingerprint import fingerprint
from hydrascope.telemetry.folder.settings import RecordedSettings
from hydrascope.telemetry.resampling import margin_us, regular
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.times import as_microseconds, as_time


class RecordedSource(ABC):
    """Computes signals, extents and the fingerprint from good samples, wherever they are stored.

    A subclass provides the samples of a time range, the stretches covered and the digests.
    """

    def __init__(
        self,
        machines: Mapping[str, Machine],
        labels: Mapping[str, pd.DataFrame],
        settings: RecordedSettings,
    ) -> None:
        self._machines, self._labels = machines, labels
        self._max_gap_s, self._resampling = settings.max_gap_s, settings.resample

    @abstractmethod
    def _stretches_us(self, equipment_id: str) -> Sequence[tuple[int, int]]:
        """Return the (start, end) of each extent, in order of time."""

    @abstractmethod
    def _digests(self, equipment_id: str) -> Mapping[str, str]:
        """Return the digest of each sensor that has good samples."""

    @abstractmethod
    def _samples(self, equipment_id: str, first_us: int, end_us: int) -> Mapping[str, Samples]:
        """Return the good samples in [first_us, end_us) by sensor id, with ascending times."""

    @cached_property
    def fingerprint(self) -> str:
        """Hash of samples, machines, labels and settings; see `telemetry.fingerprint`."""
        samples = {name: found for name in self._machines if (found := self._digests(name))}
        return fingerprint(self._machines, samples, self._labels, self._answers)

    def machine_fingerprint(self, equipment_id: str) -> str:
        """Return a hash of all that determines one machine's signals, labels excluded."""
        self._refuse_unknown(equipment_id)
        machine = {equipment_id: self._machines[equipment_id]}
        samples = {equipment_id: self._digests(equipment_id)}
        return fingerprint(machine, samples, {}, self._answers)

    @property
    def _answers(self) -> dict[str, object]:
        """The settings that determine how samples become signals and extents."""
        return {
            "max_gap_s": self._max_gap_s,
            "resample": self._resampling.model_dump(mode="json"),
        }

    def machines(self) -> Mapping[str, Machine]:
        """Return the machines by equipment id."""
        return self._machines

    def extents(self, equipment_id: str) -> list[TimeWindow]:
        """Return the stretches in which at least one sensor has good samples, in order of time."""
        self._refuse_unknown(equipment_id)
        return [
            TimeWindow(start=as_time(start_us), end=as_time(end_us))
            for start_us, end_us in self._stretches_us(equipment_id)
        ]

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Return the samples with `window.start <= time < window.end`, by sensor id.

        The result has every sensor of the machine file; one without samples is all NaN.

        Raises:
            ValueError: The machine is unknown or the window leaves its extents.
            SpecError: A file is damaged.
            ServiceError: A database does not answer.
        """
        self._refuse_unknown(equipment_id)
        first_us, end_us = as_microseconds(window.start), as_microseconds(window.end)
        stretches = self._stretches_us(equipment_id)
        holding = (start for start, end in stretches if start <= first_us and end_us <= end)
        extent_us = next(holding, None)
        if extent_us is None:
            extents = self.extents(equipment_id)
            recorded = ", ".join(map(str, extents[:3])) + (" …" if len(extents) > 3 else "")
            raise ValueError(f"no telemetry of {equipment_id!r} in {window}; recorded: {recorded}")
        sensors = [sensor for _, sensor in self._machines[equipment_id].topology.sensors]
        # Samples just outside the window affect its first and last values.
        slowest_hz = min(sensor.rate_hz for sensor in sensors)
        margin = margin_us(slowest_hz, self._resampling.hold_us)
        samples = self._samples(equipment_id, first_us - margin, end_us + margin)
        return {
            sensor.id: regular(
                samples.get(sensor.id),
                sensor,
                origin_us=extent_us,
                first_us=first_us,
                end_us=end_us,
                settings=self._resampling,
            )
            for sensor in sensors
        }

    def labels(self, equipment_id: str) -> pd.DataFrame:
        """Return the machine's labels, ordered by time, without overlap."""
        self._refuse_unknown(equipment_id)
        return self._labels[equipment_id].copy()

    def _refuse_unknown(self, equipment_id: str) -> None:
        if equipment_id not in self._machines:
            known = ", ".join(map(repr, self._machines))
            raise ValueError(f"no machine {equipment_id!r}; there is: {known}")
