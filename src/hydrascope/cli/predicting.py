"""`hydrascope predict`: answers to a folder of telemetry."""

from pathlib import Path
from typing import Annotated

import typer

from hydrascope.cli.commands import Accept, Flags, Machines, TimeZone, Unit, unit_of_sensor

app = typer.Typer()


@app.command()
def predict(
    model: Annotated[
        str, typer.Argument(help="Bundle, models:/NAME@ALIAS, checkpoint or mlflow:RUN_ID.")
    ],
    folder: Annotated[Path, typer.Argument(help="A folder of Parquet or CSV files.")],
    out: Annotated[Path, typer.Option(help="Folder of the answers.")] = Path("predictions"),
    stride: Annotated[
        float | None, typer.Option(help="Seconds between windows; default: their length.")
    ] = None,
    machines: Machines = None,
    time_zone: TimeZone = None,
    accept: Accept = None,
    flags: Flags = None,
    unit: Unit = None,
) -> None:
    """Answer every window of a folder; a machine whose file exists is skipped."""
    from hydrascope.notebook.predict_command import run

    settings = {
        "folder": folder,
        "machines": machines,
        "time_zone": time_zone,
        "quality_accepted": accept or None,
        "quality_column": flags,
        "units": dict(unit_of_sensor(each) for each in unit or ()),
    }
    run(model, settings, out, stride)
