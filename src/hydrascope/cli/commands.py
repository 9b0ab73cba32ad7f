"""Small tools for machines, telemetry, bundles and API keys."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hydrascope.schemas import json_schema
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.machine import MachineGroup
from hydrascope.schemas.machine_file import read_machine_file

app = typer.Typer()

bundle_app = typer.Typer(no_args_is_help=True, help="Inspect the bundle of a trained network.")
app.add_typer(bundle_app, name="bundle")

BundlePath = Annotated[Path, typer.Argument(help="Folder or archive of a bundle.")]
db = typer.Typer(no_args_is_help=True, help="Manage the telemetry database.")
app.add_typer(db, name="db")

tracking = typer.Typer(no_args_is_help=True, help="Send what MLflow has not yet received.")
app.add_typer(tracking, name="tracking")

MachineFile = Annotated[Path, typer.Argument(help="A machine file (YAML).")]

# What a folder of files does not state itself.
Machines = Annotated[
    str | None, typer.Option(help="Machine files; default: machines/ in the folder.")
]
Labels = Annotated[str | None, typer.Option(help="Label files; default: labels/ in the folder.")]
TimeZone = Annotated[
    str | None,
    typer.Option(help="Zone of times that have none, such as UTC; or counter."),
]
Accept = Annotated[
    list[str] | None, typer.Option(help="A quality flag that marks good samples; repeatable.")
]
Flags = Annotated[
    str | None, typer.Option(help="Column of the quality flags, if it has no usual name.")
]
MaxGap = Annotated[
    float | None,
    typer.Option(help="Seconds without samples that end a recording; default: 10, or the model's."),
]
Unit = Annotated[
    list[str] | None, typer.Option(help="SENSOR=UNIT, the unit in the files; repeatable.")
]


class SchemaKind(StrEnum):
    """The kinds of file that have a JSON Schema."""

    MACHINE = "machine"
    TASK = "task"
    DUTY = "duty"


@app.command()
def schema(kind: Annotated[SchemaKind, typer.Argument(help="Kind of file.")]) -> None:
    """Print the JSON Schema of machine, task or duty files, for editors."""
    print(json.dumps(json_schema(kind.value), indent=2))


@app.command()
def machine(
    file: MachineFile,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the machine's graph into this PNG or SVG file.")
    ] = None,
) -> None:
    """Check a machine file and print what it describes."""
    described = read_machine_file(file)
    topology, equipment = described.topology, described.equipment
    from rich.console import Console

    console = Console()
    console.print(f"{equipment.name}: topology {topology.id}")
    if isinstance(described, MachineGroup):
        console.print(f"  machines: {', '.join(described.equipment.equipment_ids)}", markup=False)
    for component in topology.components:
        sensors = ", ".join(f"{sensor.id} ({sensor.kind})" for sensor in component.sensors)
        console.print(f"  {component.id} ({component.kind}): {sensors or 'no sensors'}")
    console.print(f"  {len(topology.edges)} lines, {len(topology.directed_edges())} directed edges")
    if picture is not None:
        # Drawing needs the extra `train` (matplotlib, networkx); checking does not.
        from hydrascope.evaluation.figures import save_machine_graph

        save_machine_graph(topology, equipment.name, picture)
        console.print(f"Picture: {picture}")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A folder of Parquet or CSV files.")],
    machines: Machines = None,
    labels: Labels = None,
    time_zone: TimeZone = None,
    accept: Accept = None,
    flags: Flags = None,
    unit: Unit = None,
    max_gap: MaxGap = None,
    window_s: Annotated[
        float | None, typer.Option(min=0.0, help="Name machines recorded for fewer seconds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Report problems in a telemetry folder; exit code 1 if training would stop at one."""
    from hydrascope.telemetry.check.command import run

    settings = {
        "folder": folder,
        "machines": machines,
        "labels": labels,
        "time_zone": time_zone,
        "quality_accepted": accept or None,
        "quality_column": flags,
        "units": dict(unit_of_sensor(each) for each in unit or ()),
        **({} if max_gap is None else {"max_gap_s": max_gap}),
    }
    if not run(settings, as_json=as_json, window_s=window_s):
        raise typer.Exit(1)


@tracking.command()
def send(
    folder: Annotated[Path, typer.Argument(help="Folder of a run or a sweep.")],
) -> None:
    """Send MLflow the entries that it could not receive during the run."""
    # MLflow comes with the extra `train`.
    from hydrascope.tracking.delivery import send_kept

    send_kept(folder, print)


@bundle_app.command("verify")
def verify_bundle(
    path: BundlePath,
    key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) that the signature must match.")
    ] = None,
) -> None:
    """Check every file and the golden answers; exit code 2 if anything has changed."""
    from hydrascope.packaging.command import verify

    verify(path, key)


@bundle_app.command("show")
def show_bundle(
    path: BundlePath,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Print the model card: what the model predicts, how well, and what it was trained on."""
    from hydrascope.packaging.command import show

    show(path, as_json=as_json)


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="The owner's name; appears in the log.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="diagnose, read or manage; repeatable.")
    ] = None,
) -> None:
    """Create an API key for the service; print it and its entry for the key file."""
    from hydrascope.serving.access.api_keys import ApiKey, new_key

    secret, digest = new_key()
    entry = {"name": name, "sha256": digest, "scopes": scope or ["diagnose", "read"]}
    checked = validate(ApiKey, entry, source="key")
    print(f"# The key, shown this once: {secret}", file=sys.stderr)
    print(f"keys:\n  - {json.dumps(checked.model_dump(mode='json'))}")


Dsn = Annotated[
    str,
    typer.Option(envvar="HYDRASCOPE_DSN", help="postgresql://user@host:5432/name, no password."),
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the password; default: PGPASSWORD or ~/.pgpass.")
]


@db.command()
def upgrade(
    dsn: Dsn,
    password_file: PasswordFile = None,
    compress_after_days: Annotated[
        int, typer.Option(min=0, help="Let TimescaleDB compress older data; 0: never.")
    ] = 7,
    retain_days: Annotated[
        int, typer.Option(min=0, help="Let TimescaleDB delete older data; 0: never.")
    ] = 0,
) -> None:
    """Upgrade a database to the current schema; safe to repeat."""
    from hydrascope.telemetry.timescale.command import run_upgrade
    from hydrascope.telemetry.timescale.settings import database_settings

    settings = database_settings(dsn=dsn, password_file=password_file)
    run_upgrade(settings, compress_after_days or None, retain_days or None)


@app.command()
def ingest(
    source: Annotated[str, typer.Argument(help="A folder of Parquet or CSV files, zema or fleet.")],
    dsn: Dsn,
    password_file: PasswordFile = None,
    machines: Machines = None,
    labels: Labels = None,
    time_zone: TimeZone = None,
    accept: Accept = None,
    flags: Flags = None,
    unit: Unit = None,
    live: Annotated[
        bool, typer.Option("--live", help="Write in real time, as if recorded now.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between live writes.")] = 1.0,
    duration: Annotated[
        float | None, typer.Option("--for", min=0.0, help="Stop a live run after so many seconds.")
    ] = None,
) -> None:
    """Write telemetry, machines and labels into a database; safe to interrupt and repeat."""
    from hydrascope.telemetry.timescale.command import run_ingest, run_replay
    from hydrascope.telemetry.timescale.settings import database_settings

    settings = database_settings(dsn=dsn, password_file=password_file)
    keys = {
        "machines": machines,
        "labels": labels,
        "time_zone": time_zone,
        "quality_accepted": accept or None,
        "quality_column": flags,
        "units": dict(unit_of_sensor(each) for each in unit) if unit else None,
    }
    if live:
        run_replay(settings, source, keys, every, duration)
    else:
        run_ingest(settings, source, keys)


def unit_of_sensor(text: str) -> tuple[str, str]:
    """Return sensor and unit of `SENSOR=UNIT`; a `SpecError` names another text."""
    sensor, sign, unit = text.partition("=")
    if not sign:
        raise SpecError(f"--unit {text}: expected SENSOR=UNIT, as in PS1=psi")
    return sensor, unit
