"""`python -m hydrascope simulate`: writes a fleet to a folder and shows a progress bar."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hydrascope.schemas import SpecError
from hydrascope.schemas.whole_file import write_whole
from hydrascope.simulation.build import MACHINE_FILE, Build
from hydrascope.simulation.fleet_settings import KINDS
from hydrascope.telemetry.fleet import FleetSource
from hydrascope.telemetry.fleet_export import BUILDS, Format, as_yaml, export_builds, export_fleet
from hydrascope.telemetry.random_circuits import RandomCircuitSource
from hydrascope.telemetry.recorded_duty import recorded_duty
from hydrascope.telemetry.simulated import SimulatedSource

_YAML = (".yaml", ".yml")


class Own(NamedTuple):
    """The options for own machines only."""

    into: Path | None
    """The folder for their telemetry."""
    duty: Path | None
    duty_from: Path | None
    command: tuple[str, ...]
    time_zone: str | None


class Options(NamedTuple):
    """The options of the command beside the settings that all machines share."""

    path: Path
    """A machine file or a folder of builds; or the folder of a fleet."""
    form: str
    """The format of the telemetry."""
    kinds: tuple[str, ...]
    """Of machines in the package; none: all of them."""
    random: int | None
    """The number of circuits that are drawn at random."""
    builds_only: bool
    """Whether no telemetry is written."""
    own: Own


def run(options: Options, settings: Mapping[str, Any]) -> None:
    """Simulate machines and write them to a folder.

    Args:
        options: What is simulated, and where it goes.
        settings: Of `FleetSettings`, for all machines.

    Raises:
        SpecError: An option or a setting is not accepted, a file is wrong, a machine cannot work,
            or the folder holds files.
    """
    if options.form not in list(Format):
        raise SpecError(f"--format {options.form}: expected {', '.join(Format)}")
    path = options.path
    if path.suffix in _YAML or any(path.glob(f"*/{MACHINE_FILE}")):
        _run_own(options, settings)
        return
    for name, value in options.own._asdict().items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise SpecError(f"{option}: expected with a machine file; {path} is none")
    if options.random is None:
        source = FleetSource(kinds=options.kinds or KINDS, **settings)
    elif options.kinds:
        raise SpecError("--kind: expected without --random, which draws its own kinds")
    else:
        source = RandomCircuitSource(options.random, **settings)
    _export(source, path, options)


def _run_own(options: Options, settings: Mapping[str, Any]) -> None:
    """Simulate own machines, and say what was estimated."""
    path, own = options.path, options.own
    for name, value in (("kind", options.kinds), ("random", options.random)):
        if value:
            raise SpecError(f"--{name}: expected without a machine file; {path} is one")
    if own.into is None:
        raise SpecError("--into: missing; expected a new folder for the telemetry")
    if own.duty_from is not None:
        _write_duty(path, own, own.duty_from)
    elif own.command:
        raise SpecError("--command: expected with --duty-from")
    source = SimulatedSource(str(path), str(own.duty) if own.duty else None, **settings)
    console = Console()
    for build in source.builds.values():
        console.print(_estimates(build))
        for reason in build.left_out.values():
            console.print(f"Not simulated: {reason}", soft_wrap=True, highlight=False)
        console.print(f"Faults of {build.name}: {_faults(build)}", soft_wrap=True, highlight=False)
    _export(source, own.into, options)


def _write_duty(path: Path, own: Own, telemetry: Path) -> None:
    if own.duty is None:
        raise SpecError("--duty: missing; expected the duty file to write")
    if own.duty.exists():
        raise SpecError(f"{own.duty}: exists; expected a new file for the commands in {telemetry}")
    found = recorded_duty(path, telemetry, own.command, own.time_zone)
    write_whole(own.duty, as_yaml(found))


def _estimates(build: Build) -> Table:
    """Return the table of what the machine file leaves out."""
    table = Table(title=f"What the file of {build.name} leaves out, as estimated",
                  title_justify="left")  # fmt: skip
    for heading in ("part", "value", "", "spread", "rule", "source"):
        table.add_column(heading, justify="right" if heading in ("", "spread") else "left")
    for each in build.estimates:
        spread = f"{100.0 * each.spread:.0f} %" if each.spread else ""
        table.add_row(each.part, each.name, f"{each.value:.4g}", spread, each.rule, each.source)
    return table


def _faults(build: Build) -> str:
    return "; ".join(f"{fault} ({', '.join(names)})" for fault, names in build.faults.items())


def _export(source: FleetSource, folder: Path, options: Options) -> None:
    if options.builds_only:
        export_builds(source, folder)
        Console().print(f"{len(source.builds)} builds: {folder / BUILDS}", soft_wrap=True)
        return
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
        export_fleet(
            source, folder, Format(options.form), lambda hours: progress.advance(bar, hours)
        )
    Console().print(f"{len(machines)} machines, {total_h:g} h: {folder}", soft_wrap=True)
