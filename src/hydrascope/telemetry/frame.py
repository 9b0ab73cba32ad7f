"""A table in memory as a source of telemetry."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from hydrascope.schemas import Machine, SensorSpec, SpecError
from hydrascope.schemas.samples import Samples, in_order, usual_step_us
from hydrascope.telemetry.check.names import alike, remedy
from hydrascope.telemetry.coverage import Coverage
from hydrascope.telemetry.fingerprint import SampleDigest
from hydrascope.telemetry.folder.flags import check_flags
from hydrascope.telemetry.folder.machine_files import check_units
from hydrascope.telemetry.folder.reading import quality_names, reading_of
from hydrascope.telemetry.folder.rows import Pieces, batch_samples, needed_columns
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.folder.table_file import TIMESTAMP, Layout, table_of
from hydrascope.telemetry.folder.timestamps import to_microseconds
from hydrascope.telemetry.recorded import RecordedSource
from hydrascope.telemetry.resampling import ResampleMethod, margin_us

NAME = "frame"
"""The name of the table in messages."""
TIME = "time"
"""The column of times in frames from a database."""


class FrameSource(RecordedSource):
    """Telemetry in a DataFrame, narrow or wide, with the columns of a telemetry file.

    Rows become samples, and samples become signals, as in a `ParquetSource`. In contrast to it,
    this source refuses unknown sensors and sensors recorded far below their declared rate.

    Args:
        frame: Columns `timestamp`, `equipment_id`, `sensor_id`, `value` (optionally `unit` and
            flags), or `timestamp`, `equipment_id` and one column per sensor (optionally flags).
            Frames from `TimescaleConnector` have `time` instead of `timestamp`.
        machines: All machines of the frame by equipment id.
        settings: How rows become signals.

    Raises:
        SpecError: A column or value is not accepted.
    """

    def __init__(
        self, frame: pd.DataFrame, machines: Mapping[str, Machine], settings: ReadingSettings
    ) -> None:
        unlabelled = pd.DataFrame(columns=["start", "end"])
        super().__init__(machines, dict.fromkeys(machines, unlabelled), settings)
        check_units(machines, settings.units)
        try:
            pieces = _pieces(frame, machines, settings)
        except SpecError as error:
            raise SpecError(*error.faults, source=NAME) from None
        self._good: dict[str, dict[str, Samples]] = {name: {} for name in machines}
        resampling = settings.resample
        own_rates = resampling.rate_hz is None and resampling.method is not ResampleMethod.HOLD
        for equipment_id, machine in machines.items():
            for _, sensor in machine.topology.sensors:
                if (equipment_id, sensor.id) not in pieces:
                    continue
                samples = in_order(pieces[equipment_id, sensor.id]).samples
                if own_rates:
                    _refuse_slow(equipment_id, sensor, samples)
                if len((good := samples.good()).value):
                    self._good[equipment_id][sensor.id] = good

    @cached_property
    def _stretches(self) -> dict[str, list[tuple[int, int]]]:
        stretches = {}
        for name, machine in self._machines.items():
            rates_hz = {sensor.id: sensor.rate_hz for _, sensor in machine.topology.sensors}
            coverage = Coverage(round(self._max_gap_s * 1e6))
            coverage.add(
                (samples.time_us, round(1e6 / rates_hz[sensor_id]))
                for sensor_id, samples in self._good[name].items()
            )
            stretches[name] = coverage.stretches
        return stretches

    def _stretches_us(self, equipment_id: str) -> Sequence[tuple[int, int]]:
        return self._stretches[equipment_id]

    def _digests(self, equipment_id: str) -> Mapping[str, str]:
        digests = {}
        for sensor_id, samples in self._good[equipment_id].items():
            digest = SampleDigest()
            digest.update(samples.time_us, samples.value)
            digests[sensor_id] = digest.hexdigest()
        return digests

    def _samples(self, equipment_id: str, first_us: int, end_us: int) -> Mapping[str, Samples]:
        return {
            sensor_id: samples.take(slice(*samples.time_us.searchsorted([first_us, end_us])))
            for sensor_id, samples in self._good[equipment_id].items()
        }


def _refuse_slow(equipment_id: str, sensor: SensorSpec, samples: Samples) -> None:
    """Refuse a sensor that was recorded so slowly that most instants would have no value."""
    if len(samples.value) < 2:  # good and bad ones count
        return
    distance_us = usual_step_us(np.diff(samples.time_us))
    if distance_us > margin_us(sensor.rate_hz, None):
        found_hz = 1e6 / distance_us
        raise SpecError(
            f"{NAME}: sensor {sensor.id} of {equipment_id} has samples at "
            f"{found_hz:.3g} Hz, its machine file says {sensor.rate_hz:g} Hz; name the rate of the "
            f"training in reading, as in {{'resample': {{'rate_hz': {found_hz:.3g}}}}}, or leave "
            "the sensor out"
        )


def _pieces(
    frame: pd.DataFrame, machines: Mapping[str, Machine], settings: ReadingSettings
) -> Pieces:
    """Return all samples, in the order of the rows."""
    if frame.index.name in (TIMESTAMP, TIME):
        frame = frame.reset_index()
    if TIMESTAMP not in frame:
        frame = frame.rename(columns={TIME: TIMESTAMP})
    columns = tuple(map(str, frame.columns))
    table = table_of(NAME, columns, quality_names(machines, settings))
    check_flags("reading", [table], settings)
    if table.flags and settings.quality_accepted is None:
        warnings.warn(
            f"{NAME}: {table.flags[0].name!r} holds quality flags, but which are good is not said: "
            "all samples are taken; name the good flags in reading, as in "
            "{'quality_accepted': ['good']}",
            stacklevel=2,
        )
    # Unlisted sensors are read too, so that they can be refused.
    reading = replace(reading_of(machines, settings), unlisted=True)
    if table.layout is Layout.WIDE:
        for name in table.sensors:
            if name in table.unlisted:
                raise SpecError(_no_sensor("column", name, machines))
    try:
        needed = frame.set_axis(columns, axis=1)[needed_columns(table, reading)]
        batches = pa.Table.from_pandas(needed, preserve_index=False).to_batches()
    except (pa.ArrowException, TypeError) as error:  # a TypeError of columns that Arrow lacks
        raise SpecError("; ".join(map(str, error.args))) from None
    pieces: Pieces = {}
    for batch in batches:
        time_us = to_microseconds(batch.column(TIMESTAMP), TIMESTAMP, settings.time_zone)
        for (equipment_id, sensor_id), samples in batch_samples(batch, time_us, table, reading):
            if equipment_id not in machines:
                known = ", ".join(machines)
                raise SpecError(
                    f"no machine {equipment_id!r}; there is: {known}", path="equipment_id"
                )
            if sensor_id in reading.sensors[equipment_id]:
                pieces.setdefault((equipment_id, sensor_id), []).append(samples)
            elif len(samples.value):
                machine = {equipment_id: machines[equipment_id]}
                raise SpecError(_no_sensor("sensor_id", sensor_id, machine))
    return pieces


def _no_sensor(field: str, sensor_id: str, machines: Mapping[str, Machine]) -> str:
    specs = {sensor.id: sensor for each in machines.values() for _, sensor in each.topology.sensors}
    renamed = alike([*specs], [sensor_id])
    meant = "".join(f"; did you mean {each!r}? Rename it" for each in renamed)
    return (
        f"{field}: {sensor_id!r} is no sensor of {', '.join(machines)}; accepted: "
        f"{', '.join(specs)}{meant}{remedy(renamed, specs)}"
    )
