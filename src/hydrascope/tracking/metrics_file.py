"""A run's metrics as a file, whole at any moment."""

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from yaml import safe_dump

from hydrascope.schemas.whole_file import write_whole

METRICS = "metrics.csv"
"""The file in a run's folder with a row for each time that metrics were logged."""
_STEP = "step"


class MetricsFile(Logger):
    """Writes `metrics.csv` and `hparams.yaml`; Lightning's own logger leaves cut files.

    Rows of a run that is resumed in its own folder are kept up to the step that is resumed.

    Args:
        folder: The run's folder; created.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._rows = folder, list[dict[str, Any]]()
        self._saved = True
        if (file := folder / METRICS).is_file():
            with file.open(encoding="utf-8", newline="") as text:
                self._rows = [row for row in csv.DictReader(text) if row.get(_STEP)]

    @property
    def name(self) -> None:
        """None: there is one run in the folder."""

    @property
    def version(self) -> None:
        """None: there is one run in the folder."""

    def log_hyperparams(
        self, params: Mapping[str, Any] | Namespace, *_args: Any, **_kwargs: Any
    ) -> None:
        """Write flat parameters into `hparams.yaml`."""
        pairs = vars(params) if isinstance(params, Namespace) else dict(params)
        write_whole(self._folder / "hparams.yaml", safe_dump(pairs))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add a row; `save` writes it."""
        if step is not None:
            self._rows = [row for row in self._rows if int(row.get(_STEP, -1)) <= step]
        self._rows.append({**metrics, **({} if step is None else {_STEP: step})})
        self._saved = False

    def save(self) -> None:
        """Write all rows, if some are new."""
        if self._saved:
            return
        text = io.StringIO(newline="")
        columns = sorted(set().union(*self._rows))
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_whole(self._folder / METRICS, text.getvalue())
        self._saved = True

    def finalize(self, status: str) -> None:  # noqa: ARG002 (Lightning passes it)
        """Write what is left."""
        self.save()
