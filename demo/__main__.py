"""`python -m demo`: run the plant until Ctrl-C."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from tests.support.postgres import postgres
from tests.support.services import free_port, running, service
from tests.support.watch_workers import new_database
from tests.support.watched_rigs import save_machines, write

from demo.model import FOLDER, kept_or_trained
from demo.rigs import FAULTS, QUIET, RIGS, Rigs

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ANSWER_S = 60

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle of a model of the rig; else one is trained.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=1, help="Times real time, until the present is reached.")
    ] = 10.0,
) -> None:
    """Show a plant of a dozen rigs, two of which develop a fault, until Ctrl-C."""
    for each in _ENDS:
        signal.signal(each, _end)
    console = Console(highlight=False, soft_wrap=True)
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        _show(console, bundle or kept_or_trained(console), speed)
    except KeyboardInterrupt:
        console.print("Ended; nothing is left running.")
    except subprocess.CalledProcessError:
        sys.exit(2)  # it has said why


def _end(_number: int, _frame: FrameType | None) -> None:
    """End once: what is being stopped is not interrupted in turn."""
    for each in _ENDS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


class _Plant(NamedTuple):
    """A running demo."""

    dsn: str
    page: str
    """Its address."""
    processes: tuple[subprocess.Popen[bytes], ...]


def _show(console: Console, bundle: Path, speed: float) -> None:
    rigs = Rigs()
    with _plant(console, bundle, rigs) as plant:
        faults = " and ".join(f"{name} ({fault.component})" for name, fault in FAULTS.items())
        console.print(f"{RIGS} rigs; faults develop in {faults}. Ctrl-C ends.")
        console.print(f"The page: {plant.page}")
        told: set[str] = set()
        for parts in rigs.live(speed):
            if any(process.poll() is not None for process in plant.processes):
                raise RuntimeError(f"a process has ended; see {FOLDER}/*.log")
            if parts:
                write(plant.dsn, parts)
            for alarm in _alarms(plant.page):
                if alarm["alarm_id"] not in told:
                    told.add(alarm["alarm_id"])
                    where = f"{plant.page}#/alarms/{alarm['alarm_id']}"
                    console.print(f"Alarm: {_words(alarm)}: {where}")


def _words(alarm: Mapping[str, Any]) -> str:
    """Name the machine, the component and what was found."""
    component = alarm["component_id"] or "machine"
    return ", ".join((alarm["equipment_id"], component, alarm["finding"] or alarm["rule"]))


@contextmanager
def _plant(console: Console, bundle: Path, rigs: Rigs) -> Iterator[_Plant]:
    """Start the database with a first time of telemetry, the service and the watch."""
    with ExitStack() as stack:
        console.print("Starting the database …")
        dsn = new_database(stack.enter_context(postgres()).dsn(), "plant")
        save_machines(dsn, list(rigs.machines.values()))
        write(dsn, [part for window in range(QUIET) for part in rigs.window(window)])
        console.print("Starting the service and the watch …")
        given, port = f"database={dsn}", free_port()
        served = stack.enter_context(service(bundle, given, log=FOLDER / "service.log"))
        watch = [sys.executable, "-m", "hydrascope", "watch", f"bundle={bundle}", given]
        watch += ["poll_s=1", f"metrics_port={port}"]
        watching, _ = stack.enter_context(running(watch, port, "/metrics", FOLDER / "watch.log"))
        yield _Plant(dsn, f"http://127.0.0.1:{served.port}/", (served.process, watching))


def _alarms(page: str) -> list[dict[str, Any]]:
    """Return the open alarms, the oldest first."""
    address = f"{page}v1/alarms?state=open&limit=100"
    with urllib.request.urlopen(address, timeout=_ANSWER_S) as answer:
        found: list[dict[str, Any]] = json.load(answer)["alarms"]
    return sorted(found, key=lambda alarm: int(alarm["alarm_id"]))


if __name__ == "__main__":
    app()
