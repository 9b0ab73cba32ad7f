"""Label files, which state the condition of machines over time."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine_file import RecordedIds
from hydrascope.schemas.text import not_utf8
from hydrascope.telemetry.folder.csv_faults import csv_fault
from hydrascope.telemetry.folder.discovery import LABELS, SUFFIXES, PassedOver, why_not_read
from hydrascope.telemetry.folder.machine_files import find_files
from hydrascope.telemetry.folder.table_file import EQUIPMENT, naming, read_columns
from hydrascope.telemetry.folder.timestamps import to_microseconds

_REQUIRED = (EQUIPMENT, "start", "end")


def label_files(folder: Path, pattern: str | None) -> list[Path]:
    """Find the label files by `pattern` (file, folder or glob), or in `labels/` of `folder`.

    Raises:
        SpecError: No file matches the pattern.
    """
    files = find_files(pattern or str(folder / LABELS), SUFFIXES)
    if pattern is not None and not files:
        raise SpecError(f"{pattern}: no label file; expected one that ends in .parquet or .csv")
    return files


def passed_over_labels(folder: Path, pattern: str | None) -> list[PassedOver]:
    """Return the files in the folder of labels that are not read."""
    place = Path(pattern) if pattern is not None else folder / LABELS
    files = sorted(place.iterdir()) if place.is_dir() else []
    reasons = (why_not_read(file) for file in files if not file.name.startswith("."))
    return [reason for reason in reasons if reason]


def read_labels(
    files: Iterable[Path],
    time_zone: str | None,
    machines: Iterable[str],
    recorded: RecordedIds = tuple,
) -> Mapping[str, pd.DataFrame]:
    """Return a label table for each machine, in the form of `TelemetrySource.labels`.

    Labels of other machines with telemetry are ignored, as their telemetry is.

    Args:
        files: The label files.
        time_zone: Of times that have none.
        machines: The machines that have a machine file.
        recorded: Returns the ids in the telemetry, as far as they may have no machine file.

    Raises:
        SpecError: A file is invalid, names a machine that nothing else names, or two intervals of
            one machine overlap.
    """
    tables = [_read(file, time_zone) for file in files]
    if not tables:
        empty = pd.Series(dtype="datetime64[us, UTC]")
        return {name: pd.DataFrame({"start": empty, "end": empty}) for name in machines}
    whole = pd.concat(tables, ignore_index=True)
    known = list(machines)
    others = set(whole[EQUIPMENT]) - set(known)
    if others and (unknown := sorted(others.difference(recorded()))):
        raise SpecError(
            f"equipment_id {unknown[0]!r} has no machine file; accepted: {', '.join(known)}",
            path="labels",
        )
    return {name: _of_machine(whole, name) for name in known}


def _read(file: Path, time_zone: str | None) -> pd.DataFrame:
    columns = read_columns(file)
    if missing := [name for name in _REQUIRED if name not in columns]:
        raise SpecError(
            f"{file}: no column {', '.join(missing)}; it has: {', '.join(columns)}; expected "
            "equipment_id, start, end and a column for each label"
        )
    try:
        if file.suffix.lower() == ".csv":
            text = dict.fromkeys(_REQUIRED, pa.string())
            table = pa.csv.read_csv(
                file,
                read_options=pa.csv.ReadOptions(use_threads=False),
                convert_options=pa.csv.ConvertOptions(column_types=text),
            )
        else:
            table = pq.read_table(file, use_threads=False)
    except pa.ArrowException as error:
        raise csv_fault(file, columns, 0, str(error)) from None
    if any(pa.types.is_binary(field.type) for field in table.schema):
        raise SpecError(f"{file}: {not_utf8(file.read_bytes())}")
    frame: pd.DataFrame = table.drop_columns(["start", "end"]).to_pandas()
    labels = frame.drop(columns=EQUIPMENT).replace("", np.nan)
    frame = pd.concat([frame[[EQUIPMENT]].astype(str), labels], axis=1)
    for place, name in enumerate(("start", "end")):
        with naming(file):
            time_us = to_microseconds(table.column(name), name, time_zone)
        frame.insert(place, name, pd.to_datetime(time_us, unit="us", utc=True).as_unit("us"))
    if (wrong := frame["end"] <= frame["start"]).any():
        row = frame[wrong].iloc[0]
        raise SpecError(f"{file}: end is {row['end']}; expected a time after start, {row['start']}")
    return frame


def _of_machine(whole: pd.DataFrame, equipment_id: str) -> pd.DataFrame:
    table = whole[whole[EQUIPMENT] == equipment_id].drop(columns=EQUIPMENT)
    table = table.sort_values("start", ignore_index=True)
    overlap = table["start"].iloc[1:].to_numpy() < table["end"].iloc[:-1].to_numpy()
    if overlap.any():
        row = int(overlap.argmax())
        raise SpecError(
            f"of {equipment_id}, the interval from {table['start'].iloc[row + 1]} begins "
            f"before the one from {table['start'].iloc[row]} ends; expected one after the other",
            path="labels",
        )
    return table
