"""Origins of telemetry to ingest, read in slices of time."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.schemas.samples import Samples, SensorKey, judged
from hydrascope.telemetry.folder.contents import open_contents
from hydrascope.telemetry.folder.index import list_all, reader
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.folder.time_order import in_time_order
from hydrascope.telemetry.resampling import instants
from hydrascope.telemetry.source import Signal, TelemetrySource
from hydrascope.telemetry.times import as_microseconds, as_time

CHUNK_SAMPLES = 1_000_000
"""The number of samples read from a source at once."""


@dataclass(frozen=True)
class Slice:
    """Samples of a range of time with their states; slices follow each other in time."""

    samples: Mapping[SensorKey, Samples]
    end_us: int
    """The end of the range, exclusive."""


@dataclass(frozen=True)
class Origin:
    """Telemetry in order of time.

    Attributes:
        name: Hash of all that determines the rows; the progress is stored under it.
        rows: Approximate number of rows.
        slices: Yields the slices from a time in microseconds on.
    """

    name: str
    rows: int
    slices: Callable[[int], Iterator[Slice]]


@dataclass(frozen=True)
class Delivery:
    """The content to write to a database."""

    machines: Mapping[str, Machine]
    labels: Mapping[str, pd.DataFrame]
    origins: list[Origin]


def from_folder(settings: FolderSettings) -> Delivery:
    """Return all rows of a folder, bad ones with their state.

    Raises:
        SpecError: A file is invalid.
    """
    contents = open_contents(settings)
    files, machines = contents.files, contents.machines
    blocks = list_all(files, settings.time_zone)

    def slices(first_us: int) -> Iterator[Slice]:
        left = [block for block in blocks if block.last_us >= first_us]
        for found in in_time_order(left, reader(files, contents.reading)):
            samples = {
                key: ordered.samples.take(ordered.samples.time_us >= first_us)
                for key, ordered in found.items()
            }
            ends = [int(each.time_us[-1]) for each in samples.values() if len(each.time_us)]
            if ends:
                yield Slice(samples, max(ends) + 1)

    inputs = [
        settings.model_dump(mode="json", include={"time_zone", "units", "quality_accepted"}),
        [[str(file.path.absolute()), file.size, file.mtime_ns, file.flags] for file in files],
        {name: machine.model_dump(mode="json") for name, machine in machines.items()},
    ]
    return Delivery(
        machines,
        contents.labels,
        [Origin(_hash(inputs), sum(block.cells for block in blocks), slices)],
    )


def from_source(source: TelemetrySource) -> Delivery:
    """Return the signals of a source, one machine after the other."""
    machines = {name: _at_its_rates(source, machine) for name, machine in source.machines().items()}
    origins = [
        Origin(_hash([source.fingerprint, name]), _count(source, machine), _reads(source, machine))
        for name, machine in machines.items()
    ]
    return Delivery(machines, {name: source.labels(name) for name in machines}, origins)


def samples_of(signal: Signal, extent_us: int, first_us: int, end_us: int) -> Samples:
    """Return the finite samples of a signal in [first_us, end_us) of an extent."""
    time_us = instants(extent_us, first_us, end_us, signal.rate_hz)
    return judged(time_us, signal.values.astype(np.float64), None)


def _reads(source: TelemetrySource, machine: Machine) -> Callable[[int], Iterator[Slice]]:
    name = machine.equipment.equipment_id
    chunk_us = max(1, round(1e6 * CHUNK_SAMPLES / _samples_per_second(machine)))

    def slices(after_us: int) -> Iterator[Slice]:
        for extent in source.extents(name):
            extent_us, stop_us = as_microseconds(extent.start), as_microseconds(extent.end)
            first_us = max(extent_us, after_us)
            while first_us < stop_us:
                end_us = min(first_us + chunk_us, stop_us)
                window = TimeWindow(start=as_time(first_us), end=as_time(end_us))
                signals = source.read(name, window)
                samples = {
                    (name, sensor): samples_of(signal, extent_us, first_us, end_us)
                    for sensor, signal in signals.items()
                }
                yield Slice(samples, end_us)
                first_us = end_us

    return slices


def _at_its_rates(source: TelemetrySource, machine: Machine) -> Machine:
    """Return the machine with the rates of the source's signals."""
    name, topology = machine.equipment.equipment_id, machine.topology
    extent = source.extents(name)[0]
    slowest_s = 1.0 / min(sensor.rate_hz for _, sensor in topology.sensors)
    end = min(extent.end, extent.start + timedelta(seconds=slowest_s))
    signals = source.read(name, TimeWindow(start=extent.start, end=end))
    components = tuple(
        component.model_copy(
            update={
                "sensors": tuple(
                    sensor.model_copy(update={"rate_hz": signals[sensor.id].rate_hz})
                    for sensor in component.sensors
                )
            }
        )
        for component in topology.components
    )
    return machine.model_copy(
        update={"topology": topology.model_copy(update={"components": components})}
    )


def _count(source: TelemetrySource, machine: Machine) -> int:
    extents = source.extents(machine.equipment.equipment_id)
    duration_s = sum(extent.duration.total_seconds() for extent in extents)
    return round(duration_s * _samples_per_second(machine))


def _samples_per_second(machine: Machine) -> float:
    return sum(sensor.rate_hz for _, sensor in machine.topology.sensors)


def _hash(inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
