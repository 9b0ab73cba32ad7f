"""`python -m hydrascope simulate`: writes a fleet to a folder and shows a progress bar."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from hydrascope.schemas import SpecError
from hydrascope.telemetry.fleet import FleetSource
from hydrascope.telemetry.fleet_export import Format, export_fleet


def run(folder: Path, form: str, settings: Mapping[str, Any]) -> None:
    """Simulate a fleet and write it to `folder`.

    Raises:
        SpecError: A setting is not accepted, or the folder holds files.
    """
    if form not in list(Format):
        raise SpecError(f"--format {form}: expected {', '.join(Format)}")
    source = FleetSource(**settings)
    machines = source.machines()
    console = Console(stderr=True)
    with Progress(
        TextColumn("Machine-hours"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:g}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        recordings = sum(len(source.recordings(name)) for name in machines)
        total_h = recordings * source.recording_min / 60.0
        bar = progress.add_task("", total=total_h)
        export_fleet(source, folder, Format(form), lambda hours: progress.advance(bar, hours))
    Console().print(f"{len(machines)} machines, {total_h:g} h: {folder}", soft_wrap=True)
