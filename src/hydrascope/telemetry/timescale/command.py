"""The commands `python -m hydrascope db upgrade` and `ingest`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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

from hydrascope.schemas import SpecError, validate
from hydrascope.telemetry.folder.settings import FolderSettings
from hydrascope.telemetry.parquet import ParquetSource
from hydrascope.telemetry.source import TelemetrySource
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.ingest import ingest, replay
from hydrascope.telemetry.timescale.loop import wait
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.origins import Delivery, from_folder, from_source
from hydrascope.telemetry.timescale.settings import DatabaseSettings
from hydrascope.telemetry.zema import ZemaSource


def _fleet() -> TelemetrySource:
    # Importing the simulator compiles it; no other source needs it.
    from hydrascope.telemetry.fleet import FleetSource

    return FleetSource(machines_per_kind=1, hours=0.5)


NAMED: Mapping[str, Callable[[], TelemetrySource]] = {"zema": ZemaSource, "fleet": _fleet}
"""Sources without a folder; the fleet has one machine of each kind."""


def run_upgrade(
    settings: DatabaseSettings, compress_after_days: int | None, retain_days: int | None
) -> None:
    """Upgrade a database to the current schema and print the migrations applied.

    Raises:
        DatabaseError: The database does not answer or refuses.
    """
    connector = TimescaleConnector(settings)
    try:
        work = upgrade(
            connector.database, compress_after_days=compress_after_days, retain_days=retain_days
        )
        applied = wait(work)
        server = wait(connector.health_check()).server
    finally:
        wait(connector.database.close())
    what = ", ".join(applied) or "nothing to do"
    Console().print(f"{settings.place} ({server}): {what}", soft_wrap=True)


def run_ingest(settings: DatabaseSettings, what: str, folder_keys: dict[str, Any]) -> None:
    """Write the telemetry of a folder or named source and print the number of new rows.

    Raises:
        SpecError: The source is invalid.
        DatabaseError: The database does not answer or refuses.
    """
    delivery = _delivery(what, folder_keys)
    connector = TimescaleConnector(settings)
    try:
        with _bar() as bar:
            task = bar.add_task("Rows", total=sum(origin.rows for origin in delivery.origins))
            changed = ingest(connector, delivery, lambda rows: bar.advance(task, rows))
    finally:
        wait(connector.database.close())
    names = ", ".join(delivery.machines)
    Console().print(f"{settings.place}: {changed:,} new rows of {names}", soft_wrap=True)


def run_replay(
    settings: DatabaseSettings,
    what: str,
    folder_keys: dict[str, Any],
    every_s: float,
    for_s: float | None,
) -> None:
    """Write telemetry in real time until interrupted, or for `for_s` seconds.

    Raises:
        SpecError: The source is invalid.
        DatabaseError: The database does not answer or refuses.
    """
    source = _source(what, folder_keys)
    connector = TimescaleConnector(settings)
    rows = 0
    try:
        with _bar() as bar:
            task = bar.add_task("Live", total=None)
            rows = replay(
                connector,
                source,
                every_s=every_s,
                for_s=for_s,
                progress=lambda new: bar.advance(task, new),
            )
    except KeyboardInterrupt:
        pass
    finally:
        wait(connector.database.close())
    Console().print(f"{settings.place}: {rows:,} rows, live", soft_wrap=True)


def _delivery(what: str, folder_keys: dict[str, Any]) -> Delivery:
    if what in NAMED:
        return from_source(_source(what, folder_keys))
    return from_folder(validate(FolderSettings, {"folder": what, **folder_keys}, source="ingest"))


def _source(what: str, folder_keys: dict[str, Any]) -> TelemetrySource:
    if what in NAMED:
        if given := [key for key, value in folder_keys.items() if value is not None]:
            raise SpecError(f"{given[0]}: not accepted for {what}; expected only with a folder")
        return NAMED[what]()
    return ParquetSource(Path(what), **folder_keys)


class _Speed(ProgressColumn):
    """Rows written and rows per second."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        return Text(f"{task.completed:,.0f} rows, {task.speed or 0:,.0f} rows/s")


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        _Speed(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
