"""Index of a telemetry folder, needed before any window can be read.

One pass over all samples in order of time finds the extents and the digests. The result is kept in
a small file inside the folder. It is valid while the names, sizes and modification times of the
files and all relevant settings stay the same. After a change that keeps size and modification
time, delete `.hydrascope`.
"""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from hydrascope.schemas.samples import SensorKey
from hydrascope.schemas.whole_file import write_whole
from hydrascope.telemetry.coverage import Coverage
from hydrascope.telemetry.fingerprint import SampleDigest
from hydrascope.telemetry.folder.blocks import Block, list_blocks
from hydrascope.telemetry.folder.reading import Reading
from hydrascope.telemetry.folder.rows import Pieces, read_samples
from hydrascope.telemetry.folder.statistics import SensorGatherer, SensorStatistics
from hydrascope.telemetry.folder.table_file import TableFile
from hydrascope.telemetry.folder.time_order import ReadBlock, in_time_order

_VERSION = 4
"""The version of an index's content and computation; other versions are not read."""
_FOLDER = ".hydrascope"
_KEPT = 4
"""The number of index files kept, so that alternating settings do not cause new scans."""

_log = logging.getLogger(__name__)


class Index(BaseModel):
    """The result of the pass."""

    model_config = ConfigDict(frozen=True)

    blocks: tuple[Block, ...]
    stretches_us: dict[str, list[tuple[int, int]]]
    """The (start, end) of the extents by equipment id, in order of time."""
    digests: dict[str, dict[str, str]]
    """The digests of sensors with good samples, by equipment id and sensor id."""
    statistics: dict[str, dict[str, SensorStatistics]]
    """Statistics of all recorded sensors, listed in a machine file or not, by the same ids."""


def find_or_build(
    folder: Path, files: Sequence[TableFile], reading: Reading, max_gap_s: float
) -> Index:
    """Return the folder's index, from its file if that is valid.

    Raises:
        SpecError: A telemetry file is invalid.
    """
    path = folder / _FOLDER / f"{_key(folder, files, reading, max_gap_s)}.json"
    try:
        return Index.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        pass
    except (OSError, ValidationError):
        _log.warning("%s is damaged; scanning the files again", path)
    index = build(files, reading, max_gap_s)
    _write(path, index)
    return index


def build(files: Sequence[TableFile], reading: Reading, max_gap_s: float) -> Index:
    """Build the index by reading all files once, in bounded memory.

    Raises:
        SpecError: A telemetry file is invalid.
    """
    blocks = list_all(files, reading.time_zone)
    digests: dict[SensorKey, SampleDigest] = {}
    coverage = {name: Coverage(round(max_gap_s * 1e6)) for name in reading.sensors}
    gatherers: defaultdict[SensorKey, SensorGatherer] = defaultdict(
        partial(SensorGatherer, max_gap_s)
    )
    everything = replace(reading, unlisted=True)
    for slice_ in in_time_order(blocks, reader(files, everything)):
        times: dict[str, list[tuple[NDArray[np.int64], int]]] = {}
        for (machine, sensor), ordered in slice_.items():
            gatherers[machine, sensor].add(ordered)
            samples = ordered.samples.good()
            if reading.wants((machine, sensor)) and len(samples.value):
                digest = digests.setdefault((machine, sensor), SampleDigest())
                digest.update(samples.time_us, samples.value)
                period_us = round(1e6 / reading.sensors[machine][sensor].rate_hz)
                times.setdefault(machine, []).append((samples.time_us, period_us))
        for machine, sensors in times.items():
            coverage[machine].add(sensors)
    return Index(
        blocks=tuple(blocks),
        stretches_us={name: each.stretches for name, each in coverage.items()},
        digests={
            name: {key[1]: digests[key].hexdigest() for key in sorted(digests) if key[0] == name}
            for name in reading.sensors
        },
        statistics=by_machine(gathered(gatherers, reading)),
    )


def list_all(files: Sequence[TableFile], time_zone: str | None) -> list[Block]:
    """Return the blocks of all files."""
    return [
        block
        for number, table in enumerate(files)
        for block in list_blocks(number, table, time_zone)
    ]


def reader(files: Sequence[TableFile], reading: Reading) -> ReadBlock:
    """Return a function that reads a block of `files`."""

    def read(block: Block, first_us: int, end_us: int | None) -> Pieces:
        return read_samples(files[block.file], block, reading, first_us, end_us)

    return read


def gathered(
    gatherers: Mapping[SensorKey, SensorGatherer], reading: Reading
) -> dict[SensorKey, SensorStatistics]:
    """Return the statistics of each sensor, relative to the rate in the machine file.

    What all sensors of a machine have in pauses counts as a pause of the machine.
    """
    paused_us: dict[str, int] = {}
    for (machine, _), each in gatherers.items():
        paused_us[machine] = min(paused_us.get(machine, each.paused_us), each.paused_us)
    found = {}
    for machine, sensor in sorted(gatherers):
        spec = reading.sensors.get(machine, {}).get(sensor)
        rate_hz = spec.rate_hz if spec else None
        found[machine, sensor] = gatherers[machine, sensor].statistics(rate_hz, paused_us[machine])
    return found


def by_machine(
    statistics: Mapping[SensorKey, SensorStatistics],
) -> dict[str, dict[str, SensorStatistics]]:
    """Return statistics by equipment id and sensor id."""
    found: dict[str, dict[str, SensorStatistics]] = {}
    for (machine, sensor), each in statistics.items():
        found.setdefault(machine, {})[sensor] = each
    return found


def _key(folder: Path, files: Sequence[TableFile], reading: Reading, max_gap_s: float) -> str:
    accepted = reading.quality_accepted
    inputs = {
        "version": _VERSION,
        "files": [[str(f.path.relative_to(folder)), f.size, f.mtime_ns, f.flags] for f in files],
        "sensors": {
            machine: {name: [spec.unit, spec.rate_hz, spec.range] for name, spec in sensors.items()}
            for machine, sensors in reading.sensors.items()
        },
        "aliases": reading.aliases,
        "time_zone": reading.time_zone,
        "units": dict(reading.units),
        "quality_accepted": sorted(accepted) if accepted is not None else None,
        "max_gap_s": max_gap_s,
    }
    text = json.dumps(inputs, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write(path: Path, index: Index) -> None:
    """Write an index atomically and delete the oldest ones."""
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, index.model_dump_json())
        older = sorted(path.parent.glob("*.json"), key=lambda each: -each.stat().st_mtime)
        for each in older[_KEPT:]:
            each.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s cannot be written (%s): the files are scanned each time", path, error)
