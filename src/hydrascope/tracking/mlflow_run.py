"""A Lightning logger for a run in MLflow; it goes on when MLflow is away."""

import re
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from hydrascope.tracking.delivery import Delivery
from hydrascope.tracking.destination import Destination

_NOT_IN_A_NAME = re.compile(r"[^\w. /:-]")
_LONGEST_VALUE = 500
"""The most characters of a parameter that every version of the server accepts."""


class MLflowRun(Logger):
    """Logs a run to MLflow; entries are kept in the run's folder while MLflow is away.

    Args:
        destination: The run, already open if it has an id.
        folder: The run's folder, which keeps unsent entries.
        say: Prints one line.
    """

    def __init__(
        self, destination: Destination, folder: Path, say: Callable[[str], object]
    ) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self._say, self._ended = say, False
        self._delivery = Delivery(destination, folder, say)
        self.open()

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self._delivery.destination.experiment

    @property
    def version(self) -> str | None:
        """The id of the run; None until MLflow has opened it."""
        return self._delivery.destination.run_id

    def log_hyperparams(
        self, params: Mapping[str, Any] | Namespace, *_args: Any, **_kwargs: Any
    ) -> None:
        """Log flat parameters."""
        pairs = vars(params) if isinstance(params, Namespace) else params
        values = {name: str(value)[:_LONGEST_VALUE] for name, value in pairs.items()}
        self._delivery.put({"kind": "params", "values": values})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log the values of one step."""
        values = {_NOT_IN_A_NAME.sub("_", name): float(value) for name, value in metrics.items()}
        self._delivery.put(
            {"kind": "metrics", "values": values, "step": step or 0, "at_ms": now_ms()}
        )

    def log_file(self, file: Path, folder: str | None = None) -> None:
        """Store a file with the run, in its folder `folder`."""
        self._delivery.put({"kind": "file", "path": str(file), "folder": folder})

    def open(self) -> None:
        """Open the run in MLflow, if it is not open yet."""
        self._delivery.put({"kind": "open"})

    def go_on(self) -> None:
        """Show an ended run as running again."""
        self._delivery.put({"kind": "go on"})

    def finalize(self, status: str) -> None:
        """End a run that failed; one that succeeds stays open, because its test follows."""
        if status != "success":
            self.end("FAILED")

    def end(self, status: str) -> None:
        """End the run, once; print how to send the entries that MLflow has not received."""
        if self._ended:
            return
        self._ended = True
        self._delivery.put({"kind": "end", "status": status, "at_ms": now_ms()})
        if not self._delivery.flush():
            self._say(f"Tracking: {self._delivery.trouble}")


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return int(1000 * time.time())
