"""`python -m hydrascope check`: examines a folder and prints the findings."""

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
"""The smallest width of the report in columns if the output is not a terminal."""


def run(keys: Mapping[str, object], *, as_json: bool, window_s: float | None = None) -> bool:
    """Check a folder and print the findings; progress goes to standard error.

    Args:
        keys: Keys of `FolderSettings`.
        as_json: Print one JSON object instead of tables.
        window_s: Length of a window that machines should be recorded for; None: any.

    Returns:
        Whether a training would succeed.

    Raises:
        SpecError: A key is invalid, or the folder contains no telemetry.
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
    results = findings(found, window_s)
    if as_json:
        sys.stdout.write(to_json(found, results) + "\n")
    else:
        console = Console()
        if not console.is_terminal:
            console.width = max(console.width, _FILE_WIDTH)
        print_report(console, found, results)
    return trainable(results)
