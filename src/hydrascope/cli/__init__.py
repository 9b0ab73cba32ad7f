"""The command `hydrascope`, which is also `python -m hydrascope`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hydrascope import __version__
from hydrascope.cli import commands, configs, jobs
from hydrascope.console import print_anything
from hydrascope.schemas.errors import ServiceError, SpecError
from hydrascope.schemas.whole_file import NO_ROOM, no_room

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(jobs.app)
app.add_typer(configs.app, name="config")
app.add_typer(commands.app)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"hydrascope {__version__}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print it.")
    ] = False,
) -> None:
    """Diagnose hydraulic machines: train, judge, ship and serve, and the tools around it."""


def main() -> None:
    """Run a command; what a user got wrong, or a service fails at, is one line and exit code 2."""
    # A model of the user's own lies in his folder; what is installed comes first.
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
