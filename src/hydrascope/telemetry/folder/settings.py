"""What a user can say about recorded telemetry, validated."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hydrascope.schemas.base import Positive, Text, TimeZone
from hydrascope.telemetry.resampling import ResampleSettings

UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path that may begin with `~`."""


class ReadingSettings(BaseModel):
    """How recorded rows become signals; `conf/data/parquet.yaml` explains each key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: TimeZone | None = None
    max_gap_s: Positive = 10.0
    units: dict[str, Text] = Field(default_factory=dict)
    quality_accepted: tuple[str | int, ...] | None = Field(default=None, min_length=1)
    quality_column: Text | None = None
    resample: ResampleSettings = ResampleSettings()


class FolderSettings(ReadingSettings):
    """Keys of `ParquetSource`."""

    folder: UserPath
    machines: str | None = None
    labels: str | None = None
