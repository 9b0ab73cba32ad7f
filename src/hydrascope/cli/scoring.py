"""`hydrascope score`: scores of every row of a recording."""

from pathlib import Path
from typing import Annotated

import typer

from hydrascope.cli.commands import TimeZone
from hydrascope.experiment.start import require
from hydrascope.prediction.first_part.options import DetectorName, ScoreOptions

app = typer.Typer()
_DEFAULT = ScoreOptions()


@app.command()
def score(
    path: Annotated[Path, typer.Argument(help="A CSV or Parquet file, or a folder of them.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, .parquet or .csv.")
    ] = _DEFAULT.output,
    learn_first: Annotated[
        float, typer.Option(help="Share of each recording to learn from, from its start.")
    ] = _DEFAULT.learn_first,
    learn_until: Annotated[
        str | None, typer.Option(help="Learn from everything until this time instead.")
    ] = None,
    model: Annotated[DetectorName, typer.Option(help="The detector.")] = _DEFAULT.model,
    window_s: Annotated[
        float | None, typer.Option(min=0.0, help="Seconds of a window; default: ten strides.")
    ] = None,
    stride_s: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Seconds between windows; default: a sample, or more in long recordings."
        ),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(help="Share of sound windows that may raise an alarm.")
    ] = _DEFAULT.false_alarm_rate,
    time_zone: TimeZone = None,
) -> None:
    """Learn what is normal from the first part of a recording, and score each of its rows."""
    require("hydra", "train", "hydrascope score")
    from hydrascope.prediction.first_part.command import run

    options = ScoreOptions(
        output, learn_first, learn_until, model, window_s, stride_s, false_alarms, time_zone
    )
    for line in run(path, options):
        print(line)
