"""The command `hydrascope`, also available as `python -m hydrascope`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hydrascope import __version__
from hydrascope.cli import (
    calibrating,
    commands,
    configs,
    diagnosing,
    init,
    jobs,
    predicting,
    retraining,
    scoring,
    simulating,
)
from hydrascope.console import print_anything
from hydrascope.schemas.errors import ServiceError, SpecError
from hydrascope.schemas.whole_file import NO_ROOM, no_room

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(jobs.app)
app.add_typer(configs.app, name="config")
app.add_typer(predicting.app)
app.add_typer(diagnosing.app)
app.add_typer(scoring.app)
app.add_typer(retraining.app)
app.add_typer(commands.app)
app.add_typer(simulating.app)
app.add_typer(calibrating.app)
app.add_typer(init.app)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"hydrascope {__version__}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Diagnose hydraulic machines: train, evaluate, export and serve models, and related tools."""


def main() -> None:
    """Run a command; report user mistakes and service failures in one line, with exit code 2."""
    # Users keep their own models in the working directory; installed packages come first.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    print_anything()
    try:
        app(prog_name="hydrascope")
    except (SpecError, ServiceError) as error:
        if os.environ.get("HYDRASCOPE_TRACEBACK") == "1":
            raise
        print(error, file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(no_room(error), file=sys.stderr)
        sys.exit(2)
