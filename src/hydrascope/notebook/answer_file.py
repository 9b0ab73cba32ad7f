"""Answers as a Parquet file of scalar columns, for any tool to read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hydrascope.notebook.answer_table import Answer
from hydrascope.schemas.whole_file import whole_file
from hydrascope.serving.diagnosis.findings import CANNOT_TELL

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
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("reliable", pa.bool_()),
        ("reasons", pa.string()),
    ]
)
"""The columns, as docs/python.md describes them: one row for each answer. Of `outcome`, `value` and
`present` one is set, or none if the answer is not reliable."""

_GROUP = 20_000
"""The rows that are written together, which bounds memory."""


def write_answers(path: Path, parts: Iterable[Sequence[Answer]], window_s: float) -> int:
    """Write answers part by part, replacing the file atomically; return the number of rows.

    Args:
        path: The file.
        parts: The answers to some windows each.
        window_s: The length of a window, from which `end` follows.
    """
    length, written = pd.Timedelta(seconds=window_s), 0
    rows: list[dict[str, object]] = []
    with whole_file(path) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for part in parts:
            rows += [_row(answer, length) for answer in part]
            if len(rows) >= _GROUP:
                written += _write(writer, rows)
                rows = []
        written += _write(writer, rows)
    return written


def _write(writer: pq.ParquetWriter, rows: list[dict[str, object]]) -> int:
    writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
    return len(rows)


def _row(answer: Answer, length: pd.Timedelta) -> dict[str, object]:
    row = answer._asdict()
    given = row.pop("answer")
    row["end"] = answer.start + length
    if isinstance(given, bool):
        row["present"] = given
    elif isinstance(given, str):
        row["outcome"] = None if given == CANNOT_TELL else given
    else:
        row["value"] = float(given)
    return row
