"""`hydrascope simulate`: the fleet in the package, or a machine of your own."""

from pathlib import Path
from typing import Annotated

import typer

from hydrascope.cli.commands import TimeZone
from hydrascope.simulation.fleet_settings import FleetSettings

app = typer.Typer()

FLEET = FleetSettings()


@app.command()
def simulate(
    path: Annotated[
        Path,
        typer.Argument(
            help="Your machine file (.yaml) or folder of builds; or a new folder for the fleet of "
            "machines in the package, or for random circuits."
        ),
    ],
    into: Annotated[
        Path | None, typer.Option(help="A new folder for your machines' telemetry.")
    ] = None,
    duty: Annotated[
        Path | None, typer.Option(help="Duty file; default: duty.yaml beside the machine file.")
    ] = None,
    duty_from: Annotated[
        Path | None,
        typer.Option(help="Telemetry of your machine: write its recorded commands into --duty."),
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Option(help="A sensor whose values are commands; repeatable. With --duty-from."),
    ] = None,
    time_zone: TimeZone = None,
    machines: Annotated[int, typer.Option(help="Machines of each kind.")] = FLEET.machines_per_kind,
    hours: Annotated[float, typer.Option(help="Hours recorded per machine.")] = FLEET.hours,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="A kind of machine in the package; repeatable. Default: all kinds."),
    ] = None,
    random: Annotated[
        int | None, typer.Option(help="Draw so many circuits at random, each a kind of its own.")
    ] = None,
    builds_only: Annotated[
        bool, typer.Option(help="Write the machine files and duties alone, without telemetry.")
    ] = False,
    recording_min: Annotated[
        float, typer.Option(help="Minutes per recording.")
    ] = FLEET.recording_min,
    life_h: Annotated[float, typer.Option(help="Hours that the recordings span.")] = FLEET.life_h,
    fault_rate: Annotated[
        float, typer.Option(help="Expected faults per machine.")
    ] = FLEET.fault_rate,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = FLEET.seed,
    commissioning: Annotated[
        int, typer.Option(help="Recordings made before any fault.")
    ] = FLEET.commissioning,
    run_to_failure: Annotated[
        bool, typer.Option(help="Record each machine from new to its failure.")
    ] = FLEET.run_to_failure,
    form: Annotated[str, typer.Option("--format", help="parquet, csv or json.")] = "parquet",
) -> None:
    """Simulate machines into a folder that `data=parquet` can train on."""
    # Importing the simulator compiles it; no other command needs it.
    from hydrascope.telemetry.fleet_command import Options, Own, run

    own = Own(into, duty, duty_from, tuple(command or ()), time_zone)
    options = Options(path, form, tuple(kind or ()), random, builds_only, own)
    settings = {
        "machines_per_kind": machines,
        "hours": hours,
        "recording_min": recording_min,
        "life_h": life_h,
        "fault_rate": fault_rate,
        "seed": seed,
        "commissioning": commissioning,
        "run_to_failure": run_to_failure,
    }
    run(options, settings)
