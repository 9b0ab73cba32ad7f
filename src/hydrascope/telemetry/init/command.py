"""`python -m hydrascope init`: writes first files for a folder of telemetry."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.learn import Learn
from hydrascope.schemas.machine_file import read_machine_file
from hydrascope.schemas.task import TaskSpec
from hydrascope.schemas.whole_file import write_whole
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.telemetry.folder.discovery import LABELS, find_tables
from hydrascope.telemetry.folder.labels import label_files
from hydrascope.telemetry.init.copies import write_copies
from hydrascope.telemetry.init.files import machine_files
from hydrascope.telemetry.init.headers import identifier
from hydrascope.telemetry.init.labels import REMAINING_LIFE, as_text, labels_of, remaining_life
from hydrascope.telemetry.init.plan import Plan, plan_of
from hydrascope.telemetry.init.survey import Ask, survey
from hydrascope.telemetry.init.tables import open_raw
from hydrascope.telemetry.init.training_files import experiment_file, task_file


def run(
    folder: Path, into: Path, time_zone: str | None, learn: Learn | None, ask: Ask
) -> list[str]:
    """Write machine, task and experiment files, and copies of files that no source reads.

    Args:
        folder: A folder of CSV or Parquet files.
        into: A new folder for the files.
        time_zone: Zone of times without one, or `COUNTER`; None: guessed.
        learn: What to learn; None: guessed.
        ask: Corrects what was guessed of a sensor.

    Returns:
        The files, what was guessed, and the commands that check and train, one line each.

    Raises:
        SpecError: A file cannot be read, or `into` has files already.
    """
    if into.exists() and (into.is_file() or any(into.iterdir())):
        raise SpecError(
            f"{into}: is there already; expected a new folder, or an empty one (--into)"
        )
    name = identifier(folder.resolve().name).lower().replace("-", "_")
    paths = find_tables(folder, label_files(folder, None)).tables
    found = survey([open_raw(path, folder) for path in paths], folder, time_zone, ask)
    labels = labels_of(found, folder)
    if learn is Learn.REMAINING_LIFE and REMAINING_LIFE not in labels:
        labels[REMAINING_LIFE] = remaining_life(found)
    plan = plan_of(name, found, labels, learn)
    source, place = folder.resolve(), into.resolve()
    copied = not found.as_read
    if copied:
        source = place / "telemetry"
        write_copies(found, folder, source)
    places = {
        "folder": source,
        "machines": place / "machines",
        "labels": place / LABELS if labels else None,
    }
    zone = found.time_zone if found.counter or not copied else None
    written = {
        **{f"machines/{file}": text for file, text in machine_files(found, name).items()},
        **({f"{LABELS}/labels.csv": as_text(labels, found.time_zone)} if labels else {}),
        f"conf/task/{name}.yaml": task_file(plan),
        f"conf/experiment/{name}.yaml": experiment_file(plan, places, zone),
    }
    _write(written, into)
    return [
        *(str(into / file) for file in written),
        *([f"{into / 'telemetry'}: copies with the usual columns"] if copied else []),
        *_summary(plan),
        "Correct what these files mark as guessed. Check and train with:",
        f"  python -m hydrascope check {into / 'telemetry' if copied else folder} "
        + f"--machines {into / 'machines'}"
        + (f" --labels {into / LABELS}" if labels else "")
        + (f" --time-zone {zone}" if zone else "")
        + (f" --max-gap {found.max_gap_s:g}" if found.has_long_gaps else ""),
        f"  python -m hydrascope train --config-dir {into / 'conf'} experiment={name}",
    ]


def _write(written: Mapping[str, str], into: Path) -> None:
    """Write files, and read those of machines and tasks as a training does."""
    for file, text in written.items():
        path = into / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
        if file.startswith("machines/"):
            read_machine_file(path)
        if file.startswith("conf/task/"):
            validate(TaskSpec, load_yaml(path), source="task")


def _summary(plan: Plan) -> Iterator[str]:
    yield plan.contents
    for remark in plan.found.remarks:
        yield f"Guessed: {remark}"
    yield from plan.unused
    for label in plan.offered:
        values = ", ".join(label.names.values())
        yield f"Perhaps a label, and a comment in the task: {label.column} ({values})"
    if columns := plan.found.flag_columns:
        yield (
            f"Quality flags in {', '.join(columns)} are not used: {plan.found.flags_in_words}; "
            f"name the good ones in quality_accepted of conf/experiment/{plan.name}.yaml"
        )
    for column, (comma, point) in sorted(plan.found.unclear.items()):
        yield f"Left out: {column} has decimal commas and decimal points, {comma} and {point}"
    if short := plan.short:
        yield f"Shorter than a window, and padded: {', '.join(short)}"
    if left := sorted(plan.found.omitted - set(plan.found.unclear)):
        yield (
            f"Left out, because they hold no numbers: {', '.join(left)}; if one names the machine "
            "or a condition, call it equipment_id or label"
        )
