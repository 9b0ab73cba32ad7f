"""A run in parts: what each task answers, and where its answers lie."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hydrascope import __version__
from hydrascope.data.windows import WindowPlan
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.notebook.answerer import AT_ONCE, Answerer
from hydrascope.schemas.machine import Machine
from hydrascope.serving.windows import GivenReference
from hydrascope.telemetry.source import TelemetrySource, machine_fingerprint

if TYPE_CHECKING:
    # It needs the extra `timescale`.
    from hydrascope.prediction.database import PredictionTable

SHARD_WINDOWS = 8 * AT_ONCE
"""The most windows of a shard. They take a second or so, which is lost if a run is killed."""
_PARTS = ".parts"


class Job(NamedTuple):
    """What all tasks share."""

    answerer: Answerer
    source: TelemetrySource
    spec: WindowSpec
    table: "PredictionTable | None"
    """Takes the answers too; None: files alone."""
    reference_h: float | None = None
    """Hours from the beginning of each machine's telemetry that are its reference; None: what the
    table holds."""


class Subject(NamedTuple):
    """A machine to answer."""

    machine: Machine
    given: GivenReference | None
    """Its own reference windows."""
    key: str
    """Hash of all that decides its answers."""

    @property
    def name(self) -> str:
        """The equipment ID."""
        return self.machine.equipment.equipment_id


class Shard(NamedTuple):
    """Some windows of a machine, whose answers are one file."""

    name: str
    """The equipment ID."""
    plan: WindowPlan
    rows: range
    given: GivenReference | None
    path: Path


def key_of(job: Job, machine: Machine, given: GivenReference | None) -> str:
    """Return a hash of all that decides a machine's answers, and of where they go."""
    content = {
        "hydrascope": __version__,
        "model": job.answerer.version,
        "telemetry": machine_fingerprint(job.source, machine.equipment.equipment_id),
        "machine": machine.digest,
        "windows": asdict(job.spec),
        "reference": None if given is None else given.digest,
        "database": None if job.table is None else job.table.place,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def file_of(output: Path, name: str) -> Path:
    """Return the file of a machine's answers."""
    return output / f"{name}.parquet"


def parts_of(output: Path) -> Path:
    """Return the folder of finished shards, until they are joined."""
    return output / _PARTS


def shards_of(output: Path, subject: Subject, plan: WindowPlan) -> Iterator[Shard]:
    """Yield the shards of a machine in order of time; they depend on the plan alone."""
    folder = parts_of(output) / f"{subject.name}.{subject.key}"
    for first in range(0, len(plan), SHARD_WINDOWS):
        rows = range(first, min(first + SHARD_WINDOWS, len(plan)))
        path = folder / f"{first // SHARD_WINDOWS:06}.parquet"
        yield Shard(subject.name, plan, rows, subject.given, path)
