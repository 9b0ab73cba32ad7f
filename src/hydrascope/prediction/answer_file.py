"""Answers as Parquet files of flat columns, for any tool to read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from hydrascope.notebook.answer_table import Found, found_in, rows_of
from hydrascope.notebook.answerer import AnsweredWindows
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.normality import COMPONENT, LEVELS, MACHINE, SENSOR
from hydrascope.schemas.task import HeadKind
from hydrascope.schemas.whole_file import whole_file
from hydrascope.serving.diagnosis.findings import Finding, outcomes
from hydrascope.serving.diagnosis.fitness import InputFitness

SCHEMA = pa.schema(
    [
        pa.field("equipment_id", pa.string(), nullable=False),
        pa.field("start", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("end", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("head", pa.string(), nullable=False),
        ("component", pa.string()),
        ("label", pa.string()),
        ("outcome", pa.string()),
        ("value", pa.float64()),
        ("present", pa.bool_()),
        ("probability", pa.float64()),
        ("probabilities", pa.map_(pa.string(), pa.float64())),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("reliable", pa.bool_()),
        ("right", pa.float64()),
        ("reasons", pa.string()),
        ("unlike", pa.bool_()),
        ("unusable", pa.string()),
        pa.field("model", pa.string(), nullable=False),
    ]
)
"""The columns, as docs/predicting.md describes them: one row for each answer."""
NORMALITY = "normality"
"""What stands for a head in rows of normality."""
_KEY = b"hydrascope.key"
_GROUP = 20_000
"""The rows that are written together, which bounds memory."""


class Row(NamedTuple):
    """A row of the file; the fields are those of `SCHEMA`."""

    equipment_id: str
    start: datetime
    end: datetime
    head: str
    component: str | None
    label: str | None = None
    outcome: str | None = None
    value: float | None = None
    present: bool | None = None
    probability: float | None = None
    probabilities: Sequence[tuple[str, float]] | None = None
    low: float | None = None
    high: float | None = None
    reliable: bool | None = None
    right: float | None = None
    reasons: str | None = None
    unlike: bool | None = None
    unusable: str | None = None
    model: str = ""


def answer_rows(manifest: Manifest, version: str, windows: AnsweredWindows) -> Iterator[Row]:
    """Yield the rows of some windows: first those of the heads, then those of normality.

    Args:
        manifest: What the numbers mean.
        version: Of the model.
        windows: Of one machine.
    """
    machine = windows.prepared.machine
    equipment_id = machine.equipment.equipment_id
    length = timedelta(seconds=manifest.window.window_s)
    for found in found_in(manifest, machine, windows.starts, windows.decoded):
        finding, fitness = found.finding, found.fitness
        row = Row(
            equipment_id,
            found.start,
            found.start + length,
            found.head.name,
            found.component,
            reliable=finding.reliable,
            right=finding.right,
            reasons="; ".join(finding.reasons or ()) or None,
            unlike=None if fitness is None else fitness.unlike,
            unusable=_unusable(fitness),
            model=version,
        )
        for given in _given(found):
            yield row._replace(**given)
    for start, component, sensor, share in _normality(windows):
        yield Row(
            equipment_id,
            start,
            start + length,
            NORMALITY,
            component,
            sensor,
            value=share,
            present=share > 1.0,
            model=version,
        )


def write_part(path: Path, parts: Iterable[Iterable[Row]]) -> None:
    """Write rows part by part, replacing the file atomically."""
    rows: list[Row] = []
    with whole_file(path) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for part in parts:
            rows += part
            if len(rows) >= _GROUP:
                writer.write_table(_table(rows))
                rows = []
        writer.write_table(_table(rows))


def join_parts(path: Path, parts: Sequence[Path], key: str) -> int:
    """Write the rows of some files into one, replacing it atomically; return their number.

    Args:
        path: The file.
        parts: What it is made of.
        key: What identifies it; see `key_of_file`.
    """
    written = 0
    schema = SCHEMA.with_metadata({_KEY: key.encode()})
    with whole_file(path) as file, pq.ParquetWriter(file, schema) as writer:
        for part in parts:
            with pq.ParquetFile(part) as read:
                for number in range(read.num_row_groups):
                    table = read.read_row_group(number)
                    writer.write_table(table.cast(schema))
                    written += table.num_rows
    return written


def key_of_file(path: Path) -> str | None:
    """Return the key that a file was written with; None if it is no file of ours."""
    try:
        metadata: Mapping[bytes, bytes] = pq.read_schema(path).metadata or {}
    except pa.ArrowException:
        return None
    return metadata.get(_KEY, b"").decode() or None


def _table(rows: Sequence[Row]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    arrays = [pa.array(values, each.type) for values, each in zip(columns, SCHEMA, strict=True)]
    return pa.table(arrays, schema=SCHEMA)


def _unusable(fitness: InputFitness | None) -> str | None:
    return None if fitness is None else ", ".join(sorted(fitness.sensors)) or None


def _given(found: Found) -> Iterator[dict[str, Any]]:
    """Yield what an answer says, for a head with labels of each; of an unreliable one less."""
    head, finding = found.head, found.finding
    match head.kind:
        case HeadKind.REGRESSION if head.labels:
            values, intervals = finding.values or {}, finding.intervals or {}
            for label in head.labels:
                low, high = intervals.get(label, (None, None))
                yield {"label": label, "value": values.get(label), "low": low, "high": high}
        case HeadKind.REGRESSION:
            low, high = finding.interval or (None, None)
            yield {"value": finding.value, "low": low, "high": high}
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            labelled = head.kind is HeadKind.MULTI_LABEL
            for name in outcomes(head):
                yield {
                    "label": name if labelled else None,
                    "present": None if finding.flags is None else name in finding.flags,
                    "probability": (finding.probabilities or {})[name],
                }
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            yield _graded(finding)


def _graded(finding: Finding) -> dict[str, Any]:
    assert finding.probabilities is not None
    outcome = None if finding.reliable is False else finding.outcome
    return {
        "outcome": outcome,
        "probability": None if outcome is None else finding.probabilities[outcome],
        "probabilities": [*finding.probabilities.items()],
    }


def _normality(
    windows: AnsweredWindows,
) -> Iterator[tuple[datetime, str | None, str | None, float]]:
    """Yield the start, component, sensor and share of each score that there is."""
    topology = windows.prepared.machine.topology
    places: dict[str, list[tuple[str | None, str | None]]] = {
        MACHINE: [(None, None)],
        COMPONENT: [(component.id, None) for component in topology.components],
        SENSOR: [(topology.components[n].id, sensor.id) for n, sensor in topology.sensors],
    }
    scores = {name: windows.decoded[name].numpy() for name in LEVELS if name in windows.decoded}
    for window, start in enumerate(windows.starts):
        for name, values in scores.items():
            own = rows_of(values, window, len(windows.starts))[:, 0].tolist()
            for place, share in zip(places[name], own, strict=True):
                if share == share:  # NaN: there is nothing to score
                    yield start, *place, share
