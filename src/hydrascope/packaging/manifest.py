"""What a bundle says of itself."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hydrascope.features.config import FeatureConfig
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.schemas.calibration import Conformal
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import TaskSpec

SCHEMA_VERSION: Literal[5] = 5
"""Of bundles; older ones are refused."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WindowManifest(_Part):
    """How telemetry is cut before features are taken."""

    window_s: float
    steps: int


class MetricsManifest(_Part):
    """What the model was worth, and on which windows."""

    split: str
    """Name of the split."""
    fold: int
    windows: int
    """Test windows, none of them trained on."""
    heads: dict[str, dict[str, float]]
    """A head's name → metric → value, in the head's unit where it has one; `normality` likewise."""


class Manifest(_Part):
    """Everything needed to turn telemetry into a model's inputs and its answers into words."""

    schema_version: Literal[5] = SCHEMA_VERSION
    hydrascope: str
    """Version that wrote the bundle."""
    git_commit: str | None
    """Commit of the code that wrote it, with `-dirty` for a changed tree; None if not from git."""
    libraries: dict[str, str]
    """Versions of the libraries that the bundle was written with, and of Python."""
    model: str
    """Name of the model that answers."""
    task: TaskSpec
    """Its heads are those that are answered."""
    thresholds: dict[str, float]
    """A binary head's name, or `<head>.<label>` of a multi-label one → probability from which a
    flag is raised."""
    conformal: Conformal | None = None
    """How sets of classes and intervals are made; None where the checkpoint was not calibrated."""
    window: WindowManifest
    features: FeatureConfig
    input_spec: InputSpec
    machines: tuple[Machine, ...]
    """Machines that the model was trained on."""
    data_fingerprint: str
    """Hash of the training source."""
    metrics: MetricsManifest
    parity: float
    """Largest absolute difference of its answers to the checkpoint's, on test windows."""
    files: dict[str, str]
    """SHA-256 of every other file but the signature, in hex."""


def sha256(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
