"""`hydrascope calibrate`: a simulated machine, fitted to sound telemetry."""

from pathlib import Path
from typing import Annotated

import typer

from hydrascope.cli.commands import Accept, Flags, Labels, MachineFile, Machines, TimeZone, Unit
from hydrascope.cli.commands import unit_of_sensor as unit_of
from hydrascope.experiment.start import require

app = typer.Typer()


@app.command()
def calibrate(
    machine_file: MachineFile,
    telemetry: Annotated[str, typer.Argument(help="A folder of Parquet or CSV files, or zema.")],
    into: Annotated[Path, typer.Option(help="A new folder for the results.")],
    duty: Annotated[
        Path | None, typer.Option(help="Duty file; default: duty.yaml beside the machine file.")
    ] = None,
    duty_from_telemetry: Annotated[
        bool,
        typer.Option(
            "--duty-from-telemetry", help="Write the recorded commands into --duty, and use it."
        ),
    ] = False,
    command: Annotated[
        list[str] | None,
        typer.Option(help="A sensor whose values are commands; repeatable."),
    ] = None,
    machine: Annotated[
        str | None, typer.Option(help="The machine in the telemetry, by its equipment_id.")
    ] = None,
    sound: Annotated[
        list[str] | None,
        typer.Option(help="LABEL=VALUE[,VALUE] of a sound machine; repeatable. Default: health=1."),
    ] = None,
    spread: Annotated[
        list[str] | None,
        typer.Option(
            help="PART.NAME=SPREAD: how far a value may be off, as the standard deviation of its "
            "logarithm; 0: it is exact; repeatable."
        ),
    ] = None,
    windows: Annotated[int, typer.Option(min=1, help="Windows that are used at most.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the simulated scatter.")] = 0,
    machines: Machines = None,
    labels: Labels = None,
    time_zone: TimeZone = None,
    accept: Accept = None,
    flags: Flags = None,
    unit: Unit = None,
) -> None:
    """Fit the nominal values of a machine file to telemetry of the sound machine."""
    require("matplotlib", "train", "hydrascope calibrate")
    # Importing the simulator compiles it.
    from hydrascope.evaluation.machine_calibration.command import Options, run

    options = Options(
        machine_file, telemetry, into, duty, duty_from_telemetry, tuple(command or ()), machine,
        tuple(sound or ()), tuple(spread or ()), windows, seed, time_zone,
    )  # fmt: skip
    settings = {
        "machines": machines,
        "labels": labels,
        "quality_accepted": accept or None,
        "quality_column": flags,
        "units": dict(unit_of(each) for each in unit or ()),
    }
    run(options, settings)
