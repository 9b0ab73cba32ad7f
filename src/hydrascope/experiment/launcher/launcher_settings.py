"""What a launcher can be told; imports nothing heavy."""

from typing import Annotated, Literal

from pydantic import Field

from hydrascope.experiment.base import Count, Positive, Settings


class _Launcher(Settings):
    """Base: how many trials run, or wait for their place, at a time."""

    parallel: Count


class LocalSettings(_Launcher):
    """On this computer."""

    kind: Literal["local"]


class RaySettings(_Launcher):
    """On a Ray cluster, or on one that is started here and ends with the sweep."""

    kind: Literal["ray"]
    address: str | None
    cpus: Positive
    gpus: Annotated[float, Field(ge=0.0)]


class SlurmSettings(_Launcher):
    """As jobs of SLURM."""

    kind: Literal["slurm"]
    executor: Literal["slurm", "local"]
    partition: str | None
    minutes: Count
    cpus: Count
    gpus: Annotated[int, Field(ge=0)]
    memory_gb: Positive | None
    options: dict[str, str | int | float | bool]


LauncherSettings = Annotated[
    LocalSettings | RaySettings | SlurmSettings, Field(discriminator="kind")
]
