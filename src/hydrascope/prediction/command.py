"""`hydrascope predict`: the answers of a model to all telemetry of a source, as files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hydrascope.notebook.answerer import Answerer
from hydrascope.notebook.loading import need, open_bundle
from hydrascope.packaging.registry import REGISTRY_URI
from hydrascope.prediction.pool import open_pool
from hydrascope.prediction.run import run
from hydrascope.prediction.shards import Job
from hydrascope.prediction.sources import open_source
from hydrascope.schemas.machine import Machine

if TYPE_CHECKING:
    # It needs the extra `timescale`.
    from hydrascope.prediction.database import PredictionTable

_NAMED = 20
"""The most machines that a line names."""


class Options(NamedTuple):
    """How a command predicts."""

    output: Path = Path("predictions")
    """Folder of the files; created if it is missing."""
    stride_s: float | None = None
    """From the start of a window to that of the next one; None: their length."""
    workers: int = 1
    """Processes that work at a time; -1: one per core."""
    ray: str | None = None
    """A Ray cluster whose processes work; see `open_pool`."""
    into: str | None = None
    """URI of a database that takes the diagnoses too."""
    password_file: Path | None = None
    """File with its password."""
    reference_h: float | None = None
    """Hours from the beginning of each machine's telemetry in which it was sound."""


def predict(
    model: str, words: Sequence[str], folder: Mapping[str, object], options: Options
) -> Mapping[str, Machine]:
    """Answer every whole window of a source; write `<equipment_id>.parquet` for each machine.

    Args:
        model: A bundle or a checkpoint, as `Diagnoser.load` accepts it.
        words: The source, as `open_source` accepts it.
        folder: Keys of `FolderSettings`, for a folder.
        options: How.

    Returns:
        The machines of the source, by equipment id.

    Raises:
        SpecError: As `open_bundle`, `open_source` and `run`; or an extra is not installed.
        ServiceError: A database does not answer, or a worker has died.
    """
    console = Console(stderr=True)
    answerer = Answerer(open_bundle(model, REGISTRY_URI))
    spec, table = answerer.spec(options.stride_s), _table(options)
    window, machines = answerer.manifest.window, answerer.manifest.machines
    try:
        with (
            open_source(words, folder, machines, window.max_gap_s) as source,
            open_pool(options.workers, options.ray) as pool,
            _bar(console) as progress,
        ):
            described = source.machines()
            bar = progress.add_task("Windows", total=None)
            answered = run(
                Job(answerer, source, spec, table, options.reference_h),
                options.output,
                pool,
                lambda windows: progress.update(bar, total=windows),
                lambda windows: progress.advance(bar, windows),
            )
    finally:
        if table is not None:
            table.close()
    window_s = spec.window_s
    _name(console, "skipped, since their file is there", answered.skipped)
    _name(console, f"without a whole window of {window_s:g} s", answered.short)
    _name(console, f"shorter than a window of {window_s:g} s, and padded", answered.padded)
    line = f"{answered.rows:,} answers to {answered.windows:,} windows: {options.output}"
    Console().print(line, soft_wrap=True)
    return described


def _table(options: Options) -> "PredictionTable | None":
    if options.into is None:
        return None
    need("asyncpg", "timescale", "into")
    from hydrascope.prediction.database import PredictionTable
    from hydrascope.telemetry.timescale.settings import database_settings

    return PredictionTable(
        database_settings(
            dsn=options.into, password_file=options.password_file, pool_min=0, pool_max=1
        )
    )


def _name(console: Console, what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        console.print(f"{what}: {', '.join(names[:_NAMED])}{more}", soft_wrap=True)


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return how many windows are answered, and of how many once that is known."""
        of = "" if task.total is None else f" of {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{of}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return how fast windows are answered; empty at first."""
        rate = task.finished_speed or task.speed
        return Text(f"{rate:,.0f} windows/s" if rate else "")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        _Count(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
