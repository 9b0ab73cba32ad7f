"""A watch that has caught up, and the service that shows what it has found."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.support.services import service
from tests.support.watch_workers import workers
from tests.support.watched_rigs import WatchedRigs, save_machines, write

from hydrascope.serving.access.api_keys import new_key

WINDOWS = 8
"""Of each of the two machines."""
WINDOW = timedelta(seconds=60)
_RULES = """
channels: {nowhere: "json://127.0.0.1:9/"}
page: https://plant.example
rules:
  - {name: shown, measure: probability, windows: 2, of: 3, over_after: 1, notify: [nowhere]}
"""


class Answer(NamedTuple):
    status: int
    kind: str
    content: Any


class Client:
    """Asks a service with a key."""

    def __init__(self, port: int, key: str) -> None:
        self._base, self.key = f"http://127.0.0.1:{port}/v1", key

    def __call__(
        self, path: str, body: Any = None, method: str | None = None, **query: Any
    ) -> Answer:
        address = f"{self._base}/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            response = urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            kind, text = response.headers.get_content_type(), response.read().decode()
            return Answer(response.status, kind, json.loads(text) if "json" in kind else text)

    def events(self) -> Iterator[str]:
        """Yield the lines of the stream of events."""
        request = urllib.request.Request(f"{self._base}/events")
        request.add_header("authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=20) as stream:
            for line in stream:
                yield line.decode().rstrip()


class Watched(NamedTuple):
    """A watch that has caught up, and its service."""

    dsn: str
    ask: Client
    reader: Client
    """Has a key that may only read."""
    watch: Callable[[], None]
    """Writes the last window's telemetry and diagnoses it."""
    page: str
    """Address of the page."""


@contextmanager
def watched_service(dsn: str, bundle: Path, folder: Path) -> Iterator[Watched]:
    """Diagnose all but the last window of two rigs, and run a service on the same database."""
    rigs = WatchedRigs(machines=2, windows=WINDOWS, seed=5)
    save_machines(dsn, list(rigs.machines.values()))
    rounds = list(rigs.rounds(0.0))
    for parts in rounds[: WINDOWS - 1]:
        write(dsn, parts)
    rules, keys = folder / "rules.yaml", folder / "keys.yaml"
    rules.write_text(_RULES)
    (all_key, all_hash), (read_key, read_hash) = new_key(), new_key()
    keys.write_text(
        f"keys:\n- {{name: anna, sha256: {all_hash}, scopes: [read, operate, diagnose, manage]}}\n"
        f"- {{name: guest, sha256: {read_hash}, scopes: [read]}}\n"
    )

    def watch() -> None:
        given = [f"bundle={bundle}", f"database={dsn}", f"rules={rules}", "--once"]
        with workers(1, given, folder / "log") as one:
            assert one.wait(120) == [0], (folder / "log").read_text()

    def more() -> None:
        write(dsn, rounds[WINDOWS - 1])
        watch()

    watch()
    with service(bundle, f"database={dsn}", f"keys={keys}") as running:
        page = f"http://127.0.0.1:{running.port}/"
        yield Watched(
            dsn, Client(running.port, all_key), Client(running.port, read_key), more, page
        )
