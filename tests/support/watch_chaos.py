"""Workers are killed and the database stops while telemetry comes, some of it late."""

import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.postgres import Server
from tests.support.watch_workers import Workers, new_database, wait_for, workers
from tests.support.watched_rigs import WatchedRigs, save_machines, write

_AWAY_S = 1.5
"""How long a stopped database is away."""
_LATENESS = "lateness_s=390"
"""Five windows, and the time for which some machines stand still."""

_RULES = """
rules:
  - {name: low, measure: health, below: 0.5, windows: 2, of: 3, over_after: 2}
  - {name: shown, measure: probability, windows: 1, of: 2, over_after: 1, severity: info}
"""
"""Alarms come often, and often end."""


@dataclass(frozen=True)
class Disturbances:
    """What happens while telemetry comes.

    Attributes:
        kills: Workers killed, at random moments.
        stops: Times that the database is stopped and started.
        late_share: Share of the telemetry that comes later, by up to five windows.
        seconds: How long telemetry comes.
    """

    kills: int
    stops: int
    late_share: float
    seconds: float


def undisturbed(server: Server, rigs: WatchedRigs, bundle: Path, folder: Path, name: str) -> str:
    """Diagnose telemetry that is there with one worker; return the database's DSN.

    Workers judge by the rules of `folder`/rules.yaml.
    """
    dsn = new_database(server.dsn(), name)
    save_machines(dsn, list(rigs.machines.values()))
    for parts in rigs.rounds(0.0):
        write(dsn, parts)
    arguments = [*_arguments(bundle, dsn, folder), "--once"]
    with workers(1, arguments, folder / f"{name}.log") as one:
        assert one.wait(1200) == [0], one.log.read_text()
    return dsn


def disturbed(
    server: Server,
    rigs: WatchedRigs,
    bundle: Path,
    folder: Path,
    name: str,
    what: Disturbances,
    count: int = 2,
) -> tuple[str, list[int | None]]:
    """Diagnose telemetry as it comes; return the database's DSN and the workers' exit codes."""
    dsn = new_database(server.dsn(), name)
    save_machines(dsn, list(rigs.machines.values()))
    arguments = [*_arguments(bundle, dsn, folder), "poll_s=1", "stalled_s=2", "batch=4"]
    with workers(count, arguments, folder / f"{name}.log") as running:
        chaos = threading.Thread(target=_disturb, args=(server, running, what, count))
        chaos.start()
        began = time.monotonic()
        rounds = list(rigs.rounds(what.late_share))
        for number, parts in enumerate(rounds):
            write(dsn, parts)
            next_at = began + what.seconds * (number + 1) / len(rounds)
            time.sleep(max(0.0, next_at - time.monotonic()))
        chaos.join()
        wait_for(dsn, len(rigs.expected), 600)
        codes = running.stop()
    return dsn, codes


def _arguments(bundle: Path, dsn: str, folder: Path) -> list[str]:
    rules = folder / "rules.yaml"
    rules.write_text(_RULES)
    return [f"bundle={bundle}", f"database={dsn}", f"rules={rules}", _LATENESS]


def _disturb(server: Server, running: Workers, what: Disturbances, count: int) -> None:
    """Kill and stop at random moments while telemetry comes."""
    chance = random.Random(7)
    moments = [(chance.uniform(0.1, 0.95), "kill") for _ in range(what.kills)]
    moments += [(chance.uniform(0.2, 0.9), "stop") for _ in range(what.stops)]
    began = time.monotonic()
    for share, deed in sorted(moments):
        time.sleep(max(0.0, began + share * what.seconds - time.monotonic()))
        if deed == "kill":
            running.kill(chance.randrange(count))
        else:
            server.stop()
            time.sleep(_AWAY_S)
            server.start()
