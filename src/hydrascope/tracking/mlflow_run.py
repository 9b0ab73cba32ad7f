"""A run in MLflow that Lightning logs to, and that outlives MLflow."""

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
"""Characters of a parameter that every version of a server takes."""


class MLflowRun(Logger):
    """Tells MLflow of a run; where MLflow is away, what there is to tell is kept beside the run.

    Args:
        destination: The run, open already if it has an id.
        folder: Of the run; what cannot be told is kept there.
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
        """Of the experiment."""
        return self._delivery.destination.experiment

    @property
    def version(self) -> str | None:
        """Id of the run; None until MLflow has opened it."""
        return self._delivery.destination.run_id

    def log_hyperparams(
        self, params: Mapping[str, Any] | Namespace, *_args: Any, **_kwargs: Any
    ) -> None:
        """Log flat parameters."""
        pairs = vars(params) if isinstance(params, Namespace) else params
        values = {name: str(value)[:_LONGEST_VALUE] for name, value in pairs.items()}
        self._delivery.put({"kind": "params", "values": values})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log values of one step."""
        values = {_NOT_IN_A_NAME.sub("_", name): float(value) for name, value in metrics.items()}
        self._delivery.put(
            {"kind": "metrics", "values": values, "step": step or 0, "at_ms": now_ms()}
        )

    def log_file(self, file: Path, folder: str | None = None) -> None:
        """Store a file with the run, below `folder`."""
        self._delivery.put({"kind": "file", "path": str(file), "folder": folder})

    def open(self) -> None:
        """Have MLflow open the run, if it has not yet."""
        self._delivery.put({"kind": "open"})

    def go_on(self) -> None:
        """Show an ended run as running again."""
        self._delivery.put({"kind": "go on"})

    def finalize(self, status: str) -> None:
        """End it if it has failed; one that succeeds is not at its end yet: it will be tested."""
        if status != "success":
            self.end("FAILED")

    def end(self, status: str) -> None:
        """End the run, once; say how to tell MLflow later what it could not be told."""
        if self._ended:
            return
        self._ended = True
        self._delivery.put({"kind": "end", "status": status, "at_ms": now_ms()})
        if not self._delivery.flush():
            self._say(f"Tracking: {self._delivery.trouble}")


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return int(1000 * time.time())
