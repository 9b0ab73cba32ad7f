"""`python -m hydrascope …`: small tools around machines and tasks."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hydrascope.schemas import Machine, json_schema
from hydrascope.schemas.errors import SpecError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)

MachineFile = Annotated[Path, typer.Argument(help="A machine file (YAML).")]


class SchemaKind(StrEnum):
    """What a JSON Schema can be printed of."""

    MACHINE = "machine"
    TASK = "task"


@app.command()
def schema(kind: Annotated[SchemaKind, typer.Argument(help="Kind of file.")]) -> None:
    """Print the JSON Schema of machine or task files, for editors."""
    print(json.dumps(json_schema(kind.value), indent=2))


@app.command()
def machine(
    file: MachineFile,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the machine's graph into this PNG or SVG file.")
    ] = None,
) -> None:
    """Check a machine file and say what it describes."""
    described = Machine.from_yaml(file)
    topology, equipment = described.topology, described.equipment
    console = Console()
    console.print(f"{equipment.name or equipment.equipment_id}: topology {topology.id}")
    for component in topology.components:
        sensors = ", ".join(f"{sensor.id} ({sensor.kind})" for sensor in component.sensors)
        console.print(f"  {component.id} ({component.kind}): {sensors or 'no sensors'}")
    console.print(f"  {len(topology.edges)} lines, {len(topology.directed_edges())} directed edges")
    if picture is not None:
        # matplotlib and networkx come with the extra `train`; the check needs neither.
        from hydrascope.evaluation.figures import save_machine_graph

        save_machine_graph(topology, equipment.name or topology.id, picture)
        console.print(f"Picture: {picture}")


def main() -> None:
    """Run a command; what a user got wrong is one line and exit code 2."""
    try:
        app()
    except SpecError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
