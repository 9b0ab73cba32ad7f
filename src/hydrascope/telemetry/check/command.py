"""`python -m hydrascope check`: examine, judge, print."""

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.progress import Progress, TaskID

from hydrascope.schemas import validate
from hydrascope.telemetry.check.examine import examine
from hydrascope.telemetry.check.findings import findings
from hydrascope.telemetry.check.report import as_json as to_json
from hydrascope.telemetry.check.report import print_report, trainable
from hydrascope.telemetry.folder.settings import FolderSettings

_FILE_WIDTH = 160
"""Columns of the report where no terminal limits them."""


def run(keys: Mapping[str, object], *, as_json: bool) -> bool:
    """Check a folder and print what was found; progress goes to the standard error.

    Args:
        keys: Of `FolderSettings`.
        as_json: Print one JSON object instead of tables.

    Returns:
        Whether a training would get through.

    Raises:
        SpecError: A key is wrong, or the folder holds no telemetry at all.
    """
    settings = validate(FolderSettings, dict(keys), source="check")
    aside = Console(stderr=True)
    with Progress(console=aside, transient=True, disable=not aside.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, total: int, done: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        found = examine(settings, advance)
    said = findings(found)
    if as_json:
        sys.stdout.write(to_json(found, said) + "\n")
    else:
        console = Console()
        if not console.is_terminal:
            console.width = max(console.width, _FILE_WIDTH)
        print_report(console, found, said)
    return trainable(said)
