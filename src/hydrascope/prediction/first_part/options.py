"""What is learned from the first part of a recording, and how; imports no torch."""

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


class DetectorName(StrEnum):
    """The models that can be learned in seconds; see conf/model."""

    MAHALANOBIS = "mahalanobis"
    PCA_T2 = "pca_t2"
    PCA_SPE = "pca_spe"
    NEAREST_NEIGHBOURS = "nearest_neighbours"
    ISOLATION_FOREST = "isolation_forest"


class ScoreOptions(NamedTuple):
    """How rows are scored."""

    output: Path = Path("scores.parquet")
    """The file to write, `.parquet` or `.csv`."""
    learn_first: float = 0.5
    """Share of each recording, from its start, that is learned from."""
    learn_until: str | None = None
    """A time instead, after which no window that is learned from ends."""
    model: DetectorName = DetectorName.MAHALANOBIS
    window_s: float | None = None
    """Length of a window; None: ten strides."""
    stride_s: float | None = None
    """From the start of a window to that of the next one; None: a sample of the slowest sensor, or
    more if a recording is long."""
    false_alarm_rate: float = 0.05
    """Share of sound windows that may raise an alarm."""
    time_zone: str | None = None
    """Zone of times without one, or `counter`; None: guessed."""
