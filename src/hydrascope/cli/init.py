"""`hydrascope init`, and the questions about sensors that it asks on a terminal."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hydrascope.cli.commands import TimeZone
from hydrascope.schemas.kinds import SENSOR_UNITS
from hydrascope.schemas.learn import Learn

if TYPE_CHECKING:  # it imports pandas
    from hydrascope.telemetry.init.headers import SensorGuess

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A folder of CSV or Parquet files.")],
    into: Annotated[Path, typer.Option(help="A new folder for the files.")] = Path("own"),
    time_zone: TimeZone = None,
    learn: Annotated[
        Learn | None,
        typer.Option(
            help="The task: labels; what is normal; or the remaining life of machines, each of "
            "which failed when its recording ends. Without it, labels that are frequent enough."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing; files mark what was guessed.")
    ] = False,
) -> None:
    """Write machine, task and experiment files for a folder of telemetry, ready to train."""
    from hydrascope.telemetry.init.command import run

    interactive = sys.stdin.isatty() and not yes
    for line in run(folder, into, time_zone, learn, _ask_about if interactive else _keep):
        print(line)


def _keep(sensor: "SensorGuess") -> "SensorGuess":
    """Return a sensor as it was guessed."""
    return sensor


def _ask_about(sensor: "SensorGuess") -> "SensorGuess":
    """Ask for the kind and unit of a sensor if its header does not say them for certain."""
    if not sensor.guessed:
        return sensor
    kinds = ", ".join(SENSOR_UNITS)
    kind = typer.prompt(f"{sensor.header}: kind ({kinds}, or another word)", default=sensor.kind)
    units = SENSOR_UNITS.get(kind, (sensor.unit,))
    unit = sensor.unit if sensor.unit in units else units[0]
    if len(units) > 1 or kind not in SENSOR_UNITS:
        unit = typer.prompt(f"{sensor.header}: unit ({', '.join(units)})", default=unit)
    return sensor._replace(kind=kind, unit=unit, guessed=())
