"""`hydrascope diagnose`: a machine and its telemetry, without any training."""

from pathlib import Path
from typing import Annotated

import typer

from hydrascope.cli.commands import (
    Accept,
    Flags,
    MachineFile,
    MaxGap,
    TimeZone,
    Unit,
    unit_of_sensor,
)
from hydrascope.experiment.start import require

app = typer.Typer()


@app.command()
def diagnose(
    machine_file: MachineFile,
    telemetry: Annotated[Path, typer.Argument(help="A folder of Parquet or CSV files.")],
    out: Annotated[Path, typer.Option(help="Folder of the answers.")] = Path("diagnosis"),
    reference_h: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Hours from the beginning of each machine's telemetry in which it was sound.",
        ),
    ] = 0.25,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Also draw each machine over time (PNG).")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes; -1: one per core.")] = 1,
    time_zone: TimeZone = None,
    accept: Accept = None,
    flags: Flags = None,
    unit: Unit = None,
    max_gap: MaxGap = None,
) -> None:
    """Diagnose machines without any training, by a network that learned from simulated circuits."""
    if pictures:
        require("matplotlib", "train", "--pictures")
    from hydrascope.prediction.any_machine.command import diagnose as run
    from hydrascope.prediction.command import Options

    folder = {
        "time_zone": time_zone,
        "quality_accepted": accept or None,
        "quality_column": flags,
        "units": dict(unit_of_sensor(each) for each in unit or ()) or None,
        "max_gap_s": max_gap,
    }
    options = Options(out, workers=workers, reference_h=reference_h)
    run(machine_file, telemetry, folder, options, pictures=pictures)
