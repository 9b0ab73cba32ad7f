"""`hydrascope retrain` and `hydrascope rollback`: the model that an alias of the registry names."""

from typing import Annotated

import typer

from hydrascope.experiment.config_files import existing_folder
from hydrascope.experiment.start import one_line_errors, require

app = typer.Typer()

STAYS = 1
"""The exit code if the alias stays where it is."""

Model = Annotated[str, typer.Argument(help="models:/NAME@ALIAS of the registry.")]
Uri = Annotated[str, typer.Option(help="Address of the MLflow registry.")]
_MLFLOW = "sqlite:///mlruns.db"


@app.command()
def retrain(
    model: Model,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Of the training; default: the champion's own settings."),
    ] = None,
    uri: Uri = _MLFLOW,
    artifacts: Annotated[
        str, typer.Option(help="Folder of the registry's files if it is a database.")
    ] = "outputs/registry",
    margin: Annotated[
        float, typer.Option(help="How much lower a head's metric may be, of 1.")
    ] = 0.02,
    run_dir: Annotated[
        str | None, typer.Option(help="A new folder; default: one in outputs/retrain.")
    ] = None,
    sign_key: Annotated[
        str | None, typer.Option(help="Private key (PEM) to sign the bundle with.")
    ] = None,
    config_dir: Annotated[
        str | None, typer.Option(help="Folder of your own files; they override ours.")
    ] = None,
) -> None:
    """Train on the grown data; move the alias if that is not worse. Exit code 1: it stays."""
    require("hydra", "train", "hydrascope retrain")
    with one_line_errors("train.py", "hydrascope retrain"):
        from hydrascope.experiment.retrain.job import run
        from hydrascope.experiment.retrain.settings import RetrainSettings
        from hydrascope.schemas.errors import validate

        given = {
            "model": model,
            "uri": uri,
            "artifacts": artifacts,
            "margin": margin,
            "run_dir": run_dir,
            "sign_key": sign_key,
        }
        settings = validate(RetrainSettings, given, source="hydrascope retrain")
        own = None if config_dir is None else existing_folder(config_dir, "--config-dir")
        report = run(settings, overrides or [], own)
        for line in report.lines():
            print(line)
    if report.outcome != "moved":
        raise typer.Exit(STAYS)


@app.command()
def rollback(model: Model, uri: Uri = _MLFLOW) -> None:
    """Move the alias back to the version that the present one replaced."""
    from hydrascope.packaging.alias import roll_back

    move = roll_back(model, uri)
    print(f"{model}: moved back from version {move.before} to {move.after}")
