"""The manifest, a bundle's description of itself."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hydrascope.features.config import FeatureConfig, Short
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.schemas.calibration import Conformal
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import TaskSpec

SCHEMA_VERSION: Literal[10] = 10
"""The schema version of bundles; older ones are refused."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowManifest(_Part):
    """How telemetry is cut before features are computed."""

    window_s: float
    steps: int
    last: bool
    """Whether one more window ends with each recording."""
    short: Short
    """What becomes of machines whose recordings are all shorter than a window."""
    max_gap_s: float
    """A longer time without any good sample ends a recording."""


class MetricsManifest(_Part):
    """The test metrics, and the windows that they were measured on."""

    split: str
    """The name of the split."""
    fold: int
    windows: int
    """The number of test windows; none was used in training."""
    heads: dict[str, dict[str, float]]
    """Head name → metric → value, in the head's unit if it has one; `normality` likewise."""


class Manifest(_Part):
    """Everything needed to turn telemetry into model inputs and answers into words."""

    schema_version: Literal[10] = SCHEMA_VERSION
    hydrascope: str
    """The Hydrascope version that wrote the bundle."""
    git_commit: str | None
    """The commit of that code, with `-dirty` for a changed tree; None outside git."""
    libraries: dict[str, str]
    """The versions of Python and of the libraries that wrote the bundle."""
    model: str
    """The model's name."""
    task: TaskSpec
    """The task, with only the heads that the bundle answers."""
    thresholds: dict[str, float]
    """A binary head's name, or `<head>.<label>` of a multi-label head → the probability from which
    a flag is raised."""
    least_right: dict[str, float] = {}
    """Head name → the probability of being right from which its answers are reliable; empty if the
    fitness of inputs is not judged."""
    conformal: Conformal | None = None
    """How class sets and intervals are formed; None if the checkpoint was not calibrated."""
    alarm_width: float | None = None
    """The width of the alarm test of machines' normality, `models.alarm_test`; None if windows are
    judged singly."""
    window: WindowManifest
    features: FeatureConfig
    input_spec: InputSpec
    machines: tuple[Machine, ...]
    """The machines that the model was trained on."""
    data_fingerprint: str
    """The hash of the training source."""
    metrics: MetricsManifest
    parity: float
    """The largest absolute difference between its answers and the checkpoint's on test windows."""
    files: dict[str, str]
    """File name → SHA-256 in hex, of every file except the manifest and the signature."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
