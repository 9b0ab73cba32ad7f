"""`python -m hydrascope init`: writes first files for a folder of telemetry."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine_file import read_machine_file
from hydrascope.schemas.task import TaskSpec
from hydrascope.schemas.whole_file import write_whole
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.telemetry.folder.discovery import LABELS, find_tables
from hydrascope.telemetry.folder.labels import label_files, read_labels
from hydrascope.telemetry.folder.table_file import EQUIPMENT
from hydrascope.telemetry.init.copies import write_copies
from hydrascope.telemetry.init.files import experiment_file, machine_files, task_file
from hydrascope.telemetry.init.headers import identifier
from hydrascope.telemetry.init.survey import Ask, Survey, label_intervals, survey
from hydrascope.telemetry.init.tables import open_raw


def run(folder: Path, into: Path, time_zone: str | None, ask: Ask) -> list[str]:
    """Write machine, task and experiment files, and copies of files that no source reads.

    Args:
        folder: A folder of CSV or Parquet files.
        into: A new folder for the files.
        time_zone: Zone of times without one; None: UTC, which the files mark as guessed.
        ask: Corrects what was guessed of a sensor.

    Returns:
        The files and the command that trains, one line each.

    Raises:
        SpecError: A file cannot be read, or `into` has files already.
    """
    if into.exists() and (into.is_file() or any(into.iterdir())):
        raise SpecError(
            f"{into}: is there already; expected a new folder, or an empty one (--into)"
        )
    name = identifier(folder.resolve().name).lower().replace("-", "_")
    tables = [open_raw(path) for path in find_tables(folder, label_files(folder, None)).tables]
    found = survey(tables, folder, time_zone or "UTC", ask)
    if time_zone is None:
        found.remarks.append("times without a zone are in UTC")
    source, place = folder.resolve(), into.resolve()
    copied = not found.as_read
    if copied:
        source = place / "telemetry"
        write_copies(found, folder, source, time_zone or "UTC")
    labels = _labels(found, folder, time_zone or "UTC")
    places: dict[str, Path | None] = {
        "folder": source,
        "machines": place / "machines",
        "labels": place / LABELS if labels else None,
    }
    written = {
        **{f"machines/{file}": text for file, text in machine_files(found, name).items()},
        **{f"labels/{each}.csv": table.to_csv(index=False) for each, table in labels.items()},
        f"conf/task/{name}.yaml": task_file(name, labels),
        f"conf/experiment/{name}.yaml": experiment_file(
            name, found, places, None if copied else time_zone or "UTC", labels
        ),
    }
    for file, text in written.items():
        (into / file).parent.mkdir(parents=True, exist_ok=True)
        write_whole(into / file, text)
    for file in machine_files(found, name):
        read_machine_file(into / "machines" / file)
    validate(TaskSpec, load_yaml(into / "conf" / "task" / f"{name}.yaml"), source="task")
    return [
        *(str(into / file) for file in written),
        *([f"{source}: copies with the usual columns"] if copied else []),
        "Correct what these files mark as guessed. Then train with:",
        f"  python -m hydrascope train --config-dir {into / 'conf'} experiment={name}",
    ]


def _labels(found: Survey, folder: Path, time_zone: str) -> Mapping[str, pd.DataFrame]:
    """Return a table of intervals for each label, from label files and from rows."""
    period_s = min(period for each in found.machines.values() for period in each.periods_s.values())
    tables = label_intervals(found.labels, period_s)
    given = read_labels(label_files(folder, None), time_zone, found.machines)
    for machine, table in given.items():
        for label in table.columns.drop(["start", "end"]):
            rows = table[["start", "end", label]].dropna()
            rows.insert(0, EQUIPMENT, machine)
            name = identifier(str(label)).lower()
            rows = rows.rename(columns={label: name})
            tables[name] = pd.concat([tables[name], rows]) if name in tables else rows
    return {name: _numbered(name, table) for name, table in tables.items() if len(table)}


def _numbered(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Replace texts by numbers, what sounds healthy by 0."""
    values = table[name]
    if pd.api.types.is_bool_dtype(values):
        return table.assign(**{name: values.astype(int)})
    if pd.api.types.is_numeric_dtype(values):
        return table
    healthy = ("normal", "ok", "healthy", "good", "no", "none", "false", "sound")
    texts = sorted(values.unique(), key=lambda each: (str(each).lower() not in healthy, str(each)))
    return table.assign(**{name: values.map({text: code for code, text in enumerate(texts)})})
