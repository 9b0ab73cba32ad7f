"""`hydrascope calibrate`: reads, calibrates, writes, and prints what was found."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from hydrascope.evaluation.machine_calibration.files import write_files
from hydrascope.evaluation.machine_calibration.page import write_page
from hydrascope.schemas import SpecError
from hydrascope.schemas.duty import DutyCycle, OperatorSpread
from hydrascope.schemas.machine_file import machines_in
from hydrascope.schemas.whole_file import write_whole
from hydrascope.simulation.build import DUTY_FILE, Build, read_build
from hydrascope.simulation.calibration.calibrate import FIRST_GUESS, Calibration, calibrate
from hydrascope.simulation.calibration.ensemble import MACHINES
from hydrascope.simulation.calibration.posterior import INTERVAL, residual, told
from hydrascope.telemetry.calibration.sound import sound_stretches, sound_values
from hydrascope.telemetry.calibration.windows import (
    machine_of,
    read_signals,
    sound_windows,
)
from hydrascope.telemetry.fleet_export import as_yaml
from hydrascope.telemetry.parquet import ParquetSource
from hydrascope.telemetry.recorded_duty import duty_of
from hydrascope.telemetry.source import TelemetrySource
from hydrascope.telemetry.zema import ZemaSource

RIG = "zema"
"""Stands for the telemetry of the test rig in the package, in place of a folder."""
_EXACT = OperatorSpread(pace=0.0, load=0.0, cycle=0.0)


class Options(NamedTuple):
    """The options of the command."""

    machine_file: Path
    telemetry: str
    """A folder of telemetry, or `RIG`."""
    into: Path
    duty: Path | None
    duty_from_telemetry: bool
    command: tuple[str, ...]
    machine: str | None
    sound: tuple[str, ...]
    spread: tuple[str, ...]
    windows: int
    seed: int
    time_zone: str | None


def run(options: Options, settings: Mapping[str, object]) -> None:
    """Calibrate a machine and write what was found.

    Args:
        options: What is calibrated, and where it goes.
        settings: Further settings of `ParquetSource`.

    Raises:
        SpecError: An option or a file is wrong, nothing that is sound was recorded, or the fit is
            no better than the file.
    """
    if options.into.exists() and any(options.into.iterdir()):
        raise SpecError(f"{options.into}: holds files; expected an empty folder or a new one")
    spreads = _spreads(options.spread)
    source = _source(options, settings)
    duty_file = options.duty or options.machine_file.with_name(DUTY_FILE)
    if options.duty_from_telemetry:
        _write_duty(options, source, duty_file)
    elif options.command:
        raise SpecError("--command: expected with --duty-from-telemetry")
    build = read_build(options.machine_file, duty_file)
    name = machine_of(source, build.machine, options.machine)
    found = sound_windows(
        source, name, build.machine, build.duty, sound_values(options.sound), options.windows
    )
    console = Console()
    read = f"{len(found.times)} windows of {found.window_s:g} s from {found.stretches} stretches"
    console.print(f"{found.machine}: {read} of sound telemetry", soft_wrap=True)
    with _progress() as advance:
        result = calibrate(build, found.signals, found.window_s, spreads, options.seed, advance)
    options.into.mkdir(parents=True, exist_ok=True)
    write_page(options.into / "report.html", build, found, result)
    for line in _lines(build, result):
        console.print(line, soft_wrap=True, highlight=False)
    refuse_worse(options.machine_file, *residual(result))
    write_files(options.into, build, found, result)
    console.print(f"Written to {options.into}: machine.yaml, duty.yaml, calibration.json, "
                  "report.html", soft_wrap=True)  # fmt: skip


def refuse_worse(machine_file: Path, before: float, after: float) -> None:
    """Refuse a fit that is no nearer to the telemetry than the machine file.

    Args:
        machine_file: The file.
        before: Its residual, % of the sensors' ranges.
        after: That of the fit.

    Raises:
        SpecError: It is not nearer.
    """
    if after >= before:
        raise SpecError(
            f"{machine_file}: no calibrated file is written, because the fit misses the telemetry "
            f"by {after:.2f} % of the sensors' ranges, and the file itself by {before:.2f} %; "
            "report.html shows the sensors; try fewer --windows, or fix values with --spread"
        )


def _source(options: Options, settings: Mapping[str, object]) -> TelemetrySource:
    if options.telemetry == RIG:
        return ZemaSource()
    folder = Path(options.telemetry)
    given = dict(settings)
    if given.get("machines") is None and not (folder / "machines").exists():
        given["machines"] = str(options.machine_file)
    return ParquetSource(folder, time_zone=options.time_zone, **given)


def _spreads(texts: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in texts:
        key, _, value = text.rpartition("=")
        try:
            spread = float(value)
        except ValueError:
            spread = -1.0
        if not key or not 0.0 <= spread <= 2.0:
            raise SpecError(
                f"--spread {text}: expected PART.NAME=SPREAD with 0 to 2, as in pump.cutoff_bar=0.1"
            )
        found[key] = spread
    return found


def _write_duty(options: Options, source: TelemetrySource, duty_file: Path) -> None:
    """Write the commands of the longest sound stretch as a duty, exactly as they were."""
    if duty_file.exists():
        raise SpecError(f"{duty_file}: exists; expected a new file for the recorded commands")
    machine = machines_in(options.machine_file)[0]
    name = machine_of(source, machine, options.machine)
    stretches = sound_stretches(
        source.labels(name), source.extents(name), sound_values(options.sound)
    )
    if not stretches:
        raise SpecError(f"{name}: no telemetry from a time when it was sound")
    longest = max(stretches, key=lambda each: each.end - each.start)
    signals = read_signals(source, name, machine, longest)
    seconds = (longest.end - longest.start).total_seconds()
    duty: DutyCycle = duty_of(options.machine_file, signals, seconds, options.command)
    write_whole(duty_file, as_yaml(duty.model_copy(update={"operator": _EXACT})))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(step: str) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=MACHINES if step == FIRST_GUESS else None)
            bar.advance(tasks[step])

        yield advance


def _lines(build: Build, result: Calibration) -> Iterator[str]:
    every = told(result)
    determined = [each for each in every if each.determined]
    yield f"Determined by the data ({100 * INTERVAL:g} % intervals):"
    for each in determined:
        low, value, high = each.after
        yield (
            f"  {each.parameter.key}: {each.parameter.value:.4g} → {value:.4g} "
            f"({low:.4g} to {high:.4g})"
        )
    if not determined:
        yield "  nothing"
    left = ", ".join(each.parameter.key for each in every if not each.determined)
    yield f"Not determined, so as they were known before: {left or 'nothing'}"
    before, after = residual(result)
    yield f"Residual of {build.name}: {before:.2f} → {after:.2f} % of the sensors' ranges"
