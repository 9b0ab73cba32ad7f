"""`hydrascope train | evaluate | export | serve | watch`: what runs for long."""

import sys
from typing import Annotated

import typer

from hydrascope.experiment.config_files import CONF, options
from hydrascope.experiment.start import require, start

app = typer.Typer()

_AS_TYPED = {"ignore_unknown_options": True}


def complete_override(context: typer.Context, incomplete: str) -> list[str]:
    """Return the possible completions of an override: the groups, then a group's options.

    Args:
        context: Holds the words before it. bash splits words at `=`: `model=ga` arrives as three.
        incomplete: What has been typed so far.
    """
    groups = options([CONF])
    group, sign, prefix = incomplete.partition("=")
    if sign:
        return [f"{group}={each}" for each in groups.get(group, []) if each.startswith(prefix)]
    words: list[str] = context.params.get("overrides") or []
    *_, before, last = ["", "", *words]
    group = before if last == "=" else last
    if group in groups:
        return [each for each in groups[group] if each.startswith(incomplete)]
    return [f"{each}=" for each in groups if each.startswith(incomplete)]


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
