"""The settings of launchers; imports nothing heavy."""

from typing import Annotated, Literal

from pydantic import Field

from hydrascope.experiment.base import Count, Positive, Settings


class _Launcher(Settings):
    """The base of launcher settings: how many trials run or wait in the queue at a time."""

    parallel: Count


class LocalSettings(_Launcher):
    """Trials run on this computer."""

    kind: Literal["local"]


class RaySettings(_Launcher):
    """Trials run on a Ray cluster, or on one that is started here and ends with the sweep."""

    kind: Literal["ray"]
    address: str | None
    cpus: Positive
    gpus: Annotated[float, Field(ge=0.0)]


class SlurmSettings(_Launcher):
    """Trials run as SLURM jobs."""

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
