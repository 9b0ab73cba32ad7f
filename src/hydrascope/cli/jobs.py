"""`hydrascope train | evaluate | export | serve | watch`: what runs for long."""

import sys
from typing import Annotated

import typer

from hydrascope.cli.completion import complete_override
from hydrascope.experiment.config_files import CONF
from hydrascope.experiment.start import require, start

app = typer.Typer()

_AS_TYPED = {"ignore_unknown_options": True}

Overrides = Annotated[
    list[str] | None,
    typer.Argument(autocompletion=complete_override, help="group=option, key=value"),
]


@app.command(context_settings=_AS_TYPED, add_help_option=False)
def train(overrides: Overrides = None) -> None:
    """Train a model; --help lists every group, option and key."""
    _configured("train", overrides)


@app.command(context_settings=_AS_TYPED, add_help_option=False)
def evaluate(overrides: Overrides = None) -> None:
    """Evaluate a checkpoint on its test split: ckpt=PATH."""
    _configured("evaluate", overrides)


@app.command(context_settings=_AS_TYPED, add_help_option=False)
def export(overrides: Overrides = None) -> None:
    """Export a checkpoint as a bundle: ckpt=PATH."""
    _configured("export", overrides)


@app.command(context_settings=_AS_TYPED, add_help_option=False)
def serve(settings: Annotated[list[str] | None, typer.Argument(help="key=value")] = None) -> None:
    """Serve a bundle over HTTP: bundle=PATH; --help lists every setting."""
    require("fastapi", "serve", "hydrascope serve")
    from hydrascope.serving.main import main

    main(settings or [], "hydrascope serve")


@app.command(context_settings=_AS_TYPED, add_help_option=False)
def watch(settings: Annotated[list[str] | None, typer.Argument(help="key=value")] = None) -> None:
    """Diagnose telemetry as it comes into a database; --help lists every setting."""
    require("procrastinate", "watch", "hydrascope watch")
    from hydrascope.watch.main import main

    main(settings or [])


def _configured(name: str, overrides: list[str] | None) -> None:
    """Pass the arguments to Hydra, which reads them from `sys.argv`."""
    sys.argv = [f"hydrascope {name}", *(overrides or [])]
    start(name, CONF, sys.argv[0])
