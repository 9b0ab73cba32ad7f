"""Answers as Parquet files of flat columns, for any tool to read."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hydrascope.schemas.whole_file import whole_file

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
_KEY = b"hydrascope.key"
_GROUP = 20_000
"""The rows that are written together, which bounds memory."""


def write_part(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of `SCHEMA` one after another, replacing the file atomically."""
    held: list[pa.Table] = []
    with whole_file(path) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for table in tables:
            held.append(table)
            if sum(each.num_rows for each in held) >= _GROUP:
                writer.write_table(pa.concat_tables(held))
                held = []
        if held:
            writer.write_table(pa.concat_tables(held))


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
