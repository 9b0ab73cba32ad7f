"""Delivery of a run's entries to MLflow: in order, and kept in a file while MLflow is away."""

import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import names, write_whole
from hydrascope.tracking.destination import Destination

_UNSENT = "mlflow_unsent_{start_ms}.jsonl"
"""The file in a run's folder with the entries that MLflow has not received."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""Limits on the retries of MLflow's client (timeout in seconds), unless the environment sets them.
The client's own defaults would block a training for minutes at every step."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0

_SEND = "python -m hydrascope tracking send"

Entry = Mapping[str, Any]
"""Plain data: a `kind` and the values that this kind needs."""


class Delivery:
    """Sends entries to MLflow in order; what cannot be sent now is kept and sent later.

    Args:
        destination: The run.
        folder: The run's folder; unsent entries are kept in a file there, for `send_kept`.
        say: Prints one line.
        kept: The entries that this file already holds.
    """

    def __init__(
        self,
        destination: Destination,
        folder: Path,
        say: Callable[[str], object],
        kept: Sequence[Entry] = (),
    ) -> None:
        limit_retries()
        self.destination, self._say = destination, say
        self._file = folder / _UNSENT.format(start_ms=destination.start_ms)
        self._waiting = deque(kept)
        self._away, self._next_try, self._pause_s = bool(kept), 0.0, FIRST_PAUSE_S
        self._refused = False

    def put(self, entry: Entry) -> None:
        """Send an entry after all that are waiting; never raises because MLflow is away."""
        self._waiting.append(entry)
        if not self._away:
            self.flush()
            return
        with names(self._file), self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if time.monotonic() >= self._next_try:
            self.flush()

    def flush(self) -> bool:
        """Send all waiting entries; return whether none is left."""
        from hydrascope.tracking.mlflow_client import (  # takes seconds to import
            CLIENT_ERRORS,
            refuses,
        )

        while self._waiting:
            try:
                self._tell(self._waiting[0])
            except CLIENT_ERRORS as error:
                refused = refuses(error)
                if not refused or self.destination.run_id is None:
                    self._keep(error, refused=refused)
                    return False
                self._say(
                    f"Tracking: MLflow at {self.destination.uri} refuses "
                    f"{self._waiting[0]['kind']!r} ({_brief(error)}); left out"
                )
            self._waiting.popleft()
        if self._away:
            self._away, self._refused, self._pause_s = False, False, FIRST_PAUSE_S
            self._file.unlink()
            self._say(f"Tracking: MLflow at {self.destination.uri} has been told what was kept")
        return True

    @property
    def trouble(self) -> str:
        """Why entries are unsent, and how to send them later."""
        uri, folder = self.destination.uri, self._file.parent
        if self._refused:
            return (
                f"MLflow at {uri} refuses the run; with tracking.mlflow.uri=sqlite:///mlruns.db "
                "or a server the next one is tracked"
            )
        return f"MLflow at {uri} is still away; once it is back: {_SEND} {folder}"

    def _keep(self, error: Exception, *, refused: bool) -> None:
        """Save all waiting entries and set when to try again: never if the run is refused."""
        header = asdict(self.destination)
        lines = [json.dumps(each) for each in (header, *self._waiting)]
        write_whole(self._file, "\n".join(lines) + "\n")
        if not self._away or refused != self._refused:
            state = "refuses the run" if refused else "is away"
            self._say(
                f"Tracking: MLflow at {self.destination.uri} {state} ({_brief(error)}); the run "
                f"goes on, what it says is kept in {self._file}"
            )
        else:
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._away, self._refused = True, refused
        self._next_try = math.inf if refused else time.monotonic() + self._pause_s

    def _tell(self, entry: Entry) -> None:
        from hydrascope.tracking.mlflow_client import open_run, tell

        if self.destination.run_id is None:
            self.destination = replace(self.destination, run_id=open_run(self.destination))
        assert self.destination.run_id is not None
        tell(self.destination.uri, self.destination.run_id, entry)


def limit_retries() -> None:
    """Apply `PATIENCE` to MLflow's client in this process."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)


def send_kept(folder: Path, say: Callable[[str], object]) -> None:
    """Send MLflow the unsent entries in a run's folder.

    Raises:
        SpecError: There are none, the file is damaged, or MLflow is still away.
    """
    files = sorted(folder.glob(_UNSENT.format(start_ms="*")))
    if not files:
        raise SpecError(f"{folder}: holds nothing that MLflow has not been told")
    for file in files:
        try:
            whole, _, _ = file.read_text("utf-8").rpartition("\n")  # a full disk cuts the last line
            header, *entries = [json.loads(line) for line in whole.splitlines()]
            delivery = Delivery(Destination(**header), folder, say, entries)
        except (ValueError, TypeError) as error:
            raise SpecError(f"{file}: damaged ({error})") from None
        if not delivery.flush():
            raise SpecError(f"{file}: {delivery.trouble}")


def _brief(error: Exception) -> str:
    """Return the error's text, cut before the client's own advice and addresses."""
    return shorten(str(error), 160, placeholder=" …")
