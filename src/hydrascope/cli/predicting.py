"""`hydrascope predict`: answers to a folder, a database or a fleet."""

from pathlib import Path
from typing import Annotated

import typer

from hydrascope.cli.commands import (
    Accept,
    Flags,
    Machines,
    MaxGap,
    PasswordFile,
    TimeZone,
    Unit,
    unit_of_sensor,
)

app = typer.Typer()


@app.command()
def predict(
    model: Annotated[
        str, typer.Argument(help="Bundle, models:/NAME@ALIAS, checkpoint or mlflow:RUN_ID.")
    ],
    source: Annotated[
        list[str],
        typer.Argument(
            help="A folder of Parquet or CSV files; or data=timescale, data=fleet … and keys of "
            "data.source, as for `train`."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the answers.")] = Path("predictions"),
    stride: Annotated[
        float | None, typer.Option(help="Seconds between windows; default: their length.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; -1: one per core.")] = 1,
    ray: Annotated[
        str | None,
        typer.Option(help="Ray cluster of the workers: auto, its address, or local for a new one."),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(help="Database that takes the diagnoses too: postgresql://user@host/name."),
    ] = None,
    password_file: PasswordFile = None,
    reference_h: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Hours from the beginning of each machine's telemetry in which it was sound, for "
            "a model that reads reference windows.",
        ),
    ] = None,
    machines: Machines = None,
    time_zone: TimeZone = None,
    accept: Accept = None,
    flags: Flags = None,
    unit: Unit = None,
    max_gap: MaxGap = None,
) -> None:
    """Answer every window of a folder, a database or a fleet; continues where it was stopped."""
    from hydrascope.prediction.command import Options
    from hydrascope.prediction.command import predict as run

    folder = {
        "machines": machines,
        "time_zone": time_zone,
        "quality_accepted": accept or None,
        "quality_column": flags,
        "units": dict(unit_of_sensor(each) for each in unit or ()) or None,
        "max_gap_s": max_gap,
    }
    run(model, source, folder, Options(out, stride, workers, ray, into, password_file, reference_h))
