"""`hydrascope predict`: the answers of a model to a folder of telemetry, as files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hydrascope.notebook.answer_file import write_answers
from hydrascope.notebook.answer_table import Answer
from hydrascope.notebook.diagnoser import Diagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.parquet import ParquetSource


def run(
    model: str, settings: Mapping[str, object], output: Path, stride_s: float | None = None
) -> None:
    """Answer every whole window of a folder; write `<equipment_id>.parquet` for each machine.

    A machine whose file exists is skipped, so that an interrupted run continues.

    Args:
        model: A bundle or a checkpoint, as `Diagnoser.load` accepts it.
        settings: Keys of `FolderSettings`. Without machine files the model's own machines apply.
        output: Folder of the files; created if it is missing.
        stride_s: From the start of a window to that of the next one; None: their length.

    Raises:
        SpecError: As `Diagnoser.load` and `Diagnoser.stream`; or the folder is not accepted.
    """
    diagnoser, console = Diagnoser.load(model), Console(stderr=True)
    output.mkdir(parents=True, exist_ok=True)
    window_s, rows, windows = diagnoser.manifest.window.window_s, 0, 0
    with _source(diagnoser, settings) as source, _bar(console) as progress:
        for name, machine in source.machines().items():
            path = output / f"{name}.parquet"
            if path.exists():
                console.print(f"{name}: {path} exists, skipped", soft_wrap=True)
                continue
            count, parts = diagnoser.stream(source, machine, stride_s)
            bar = progress.add_task(name, total=count)
            rows += write_answers(path, _counted(parts, progress, bar), window_s)
            windows += count
            if not count:
                console.print(f"{name}: no whole window of {window_s:g} s", soft_wrap=True)
    Console().print(f"{rows:,} answers to {windows:,} windows: {output}", soft_wrap=True)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return how fast windows are answered; empty at first."""
        rate = task.finished_speed or task.speed
        return Text(f"{rate:,.0f} windows/s" if rate else "")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _counted(
    parts: Iterator[Sequence[Answer]], progress: Progress, bar: TaskID
) -> Iterator[Sequence[Answer]]:
    for part in parts:
        yield part
        progress.advance(bar, len({answer.start for answer in part}))


@contextmanager
def _source(diagnoser: Diagnoser, settings: Mapping[str, object]) -> Iterator[ParquetSource]:
    """Open a folder, with the model's machines if neither it nor the settings name any."""
    given: dict[str, Any] = {key: each for key, each in settings.items() if each is not None}
    folder = Path(given["folder"]).expanduser()
    if not folder.is_dir():
        raise SpecError(f"folder: {str(folder)!r} is not a folder, seen from {Path.cwd()}")
    if "machines" in given or (folder / "machines").is_dir():
        yield ParquetSource(**given)
        return
    with TemporaryDirectory(prefix="hydrascope-machines-") as known:
        for machine in diagnoser.manifest.machines:
            text = yaml.safe_dump(machine.model_dump(mode="json"), sort_keys=False)
            file = Path(known) / f"{machine.equipment.equipment_id}.yaml"
            file.write_text(text, encoding="utf-8")
        yield ParquetSource(**given, machines=known)
