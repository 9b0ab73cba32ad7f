"""What a bundle says of itself."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hydrascope.features.config import FeatureConfig
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import TaskSpec


class WindowManifest(BaseModel):
    """How telemetry is cut before features are taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_s: float
    steps: int


class Manifest(BaseModel):
    """Everything needed to turn telemetry into the program's inputs and its outputs into words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    hydrascope: str
    """Version that wrote the bundle."""
    libraries: dict[str, str]
    """Versions of the libraries that the program was exported with."""
    task: TaskSpec
    window: WindowManifest
    features: FeatureConfig
    input_spec: InputSpec
    machines: tuple[Machine, ...]
    """Machines that the network was trained on."""
    data_fingerprint: str
    """Hash of the training source."""
    parity: float
    """Largest absolute difference between exported and eager answers on the golden windows."""
    files: dict[str, str]
    """SHA-256 of every other file, in hex."""


def sha256(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
