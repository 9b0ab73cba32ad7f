"""`hydrascope config`: check a configuration, print its JSON Schema, copy its files."""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from hydrascope.experiment.config_files import CONF, existing_folder
from hydrascope.experiment.start import require
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import NO_ROOM

app = typer.Typer(no_args_is_help=True, help="Check and copy training configurations.")


@app.command()
def validate(
    given: Annotated[
        list[str] | None,
        typer.Argument(help="Overrides as `train` takes them, or one YAML file; default: none."),
    ] = None,
    config_dir: Annotated[
        str | None, typer.Option(help="Folder of your own files; they override ours.")
    ] = None,
) -> None:
    """Check a configuration without reading any data; exit code 2 if it is invalid."""
    require("hydra", "train", "hydrascope config validate")
    from hydrascope.experiment.check import check

    check(given or [], None if config_dir is None else existing_folder(config_dir, "--config-dir"))
    print("valid:", *(given or ["the defaults"]))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a complete training configuration, for editors."""
    from hydrascope.experiment.job_settings import train_schema

    print(json.dumps(train_schema(), indent=2))


@app.command()
def copy(
    folder: Annotated[Path, typer.Argument(help="A new folder for the copies.")],
) -> None:
    """Copy all configuration files, to edit them and pass the folder as --config-dir."""
    try:
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise SpecError(f"{folder}: is there already; expected a new folder, or an empty one")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(CONF, folder, dirs_exist_ok=True)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise SpecError(
            f"{folder}: cannot be written ({error.strerror or error}); expected a folder that "
            "can be made"
        ) from error
    print(f"Edit them, and train with: hydrascope train --config-dir {folder}")
