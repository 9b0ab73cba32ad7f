"""Champion against challenger, on the same windows that neither has learned from."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import create_dataloader
from hydrascope.data.unseen import unseen_windows
from hydrascope.data.windows import EQUIPMENT, WindowNumbers, microseconds
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.compare import Answers, compared, prediction_table
from hydrascope.evaluation.predictions import predict
from hydrascope.experiment.restore import Restored
from hydrascope.experiment.retrain.champion import Champion
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.tasks.metrics import PRIMARY_METRIC

Finding = Literal["not worse", "worse", "unclear", "not judged"]


class JudgedHead(NamedTuple):
    """How a head of the challenger compares with that of the champion."""

    head: str
    metric: str
    """Larger is better."""
    rows: int
    champion: float | None
    challenger: float | None
    difference: float | None
    """Challenger less champion."""
    interval: list[float] | None
    """The 95 % interval of the difference; None: fewer than two units."""
    finding: Finding


class Judged(NamedTuple):
    """How the challenger compares with the champion."""

    windows: WindowNumbers
    """The windows that were judged."""
    data: HydraulicDataModule
    """Holds these windows."""
    bootstrap: Bootstrap
    heads: tuple[JudgedHead, ...]

    @property
    def not_worse(self) -> bool:
        """Whether the challenger is not worse on any head."""
        return all(each.finding == "not worse" for each in self.heads)


def judge(champion: Champion, challenger: Restored, margin: float) -> Judged:
    """Compare on the challenger's test windows from which the champion has not learned.

    Each draw resamples the units of the split in the same way for both (the paired bootstrap).

    Args:
        champion: The registered model.
        challenger: The new training, with the data of both.
        margin: How much lower the metric may be.

    Raises:
        SpecError: No such window is left, or the champion cannot read the data.
    """
    data, diagnoser = challenger.data, challenger.diagnoser
    rows = unseen_windows(data.table, data.split, data.split_spec, champion.learned)
    if not len(rows):
        raise SpecError(
            f"none of the {len(data.split.test)} test windows is unknown to version "
            f"{champion.version}: it has learned from their times, conditions or machines; record "
            "more, or choose data.split.name=chronological"
        )
    bootstrap = Bootstrap.of(data.unit, data.units, rows)
    this = Answers(diagnoser.heads, _predicted(diagnoser, data, rows), diagnoser.thresholds, data)
    own = champion.diagnoser
    other_data = champion.data(challenger.settings)
    other_rows = _same_windows(other_data, data.table.iloc[rows])
    table = prediction_table(own.heads, _predicted(own, other_data, other_rows), other_data)
    found = compared(this, table, own.thresholds, bootstrap)
    kinds = {head.name: head.kind for head in own.heads}
    heads = [
        _judged(name, PRIMARY_METRIC[kind], found.get(name), margin) for name, kind in kinds.items()
    ]
    return Judged(rows, data, bootstrap, tuple(heads))


def _predicted(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, rows: WindowNumbers
) -> dict[str, Any]:
    return predict(diagnoser, create_dataloader(data.dataset, data.loader, rows))


def _same_windows(data: HydraulicDataModule, windows: pd.DataFrame) -> NDArray[np.int64]:
    """Return the rows of windows of the same machine and start, in order."""
    own = pd.MultiIndex.from_arrays([data.table[EQUIPMENT], microseconds(data.table["start"])])
    wanted = pd.MultiIndex.from_arrays([windows[EQUIPMENT], microseconds(windows["start"])])
    found: NDArray[np.int64] = np.flatnonzero(own.isin(wanted))
    if not len(found):
        raise SpecError(
            "the champion has no window in common with the challenger; expected the same "
            "data.window.window_s and stride_s"
        )
    return found


def finding(interval: Sequence[float] | None, margin: float) -> Finding:
    """Return what the interval of a difference says; None: it is not known."""
    if interval is not None and interval[0] > -margin:
        return "not worse"
    if interval is not None and interval[1] < -margin:
        return "worse"
    return "unclear"


def _judged(head: str, metric: str, found: dict[str, Any] | None, margin: float) -> JudgedHead:
    if found is None or not found["rows"]:
        return JudgedHead(head, metric, 0, None, None, None, None, "not judged")
    values = found["metrics"][metric]
    interval = values["interval"]
    return JudgedHead(
        head,
        metric,
        found["rows"],
        _finite(values["other"]),
        _finite(values["this"]),
        _finite(values["difference"]),
        interval,
        finding(interval, margin),
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
