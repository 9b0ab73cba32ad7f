"""What a user can say about recorded telemetry, validated."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from hydrascope.schemas.base import Positive, Text, TimeZone
from hydrascope.telemetry.resampling import ResampleSettings

NULL_IS_EMPTY = BeforeValidator(lambda given: {} if given is None else given)
"""YAML writes null where nothing is given, so that a command line may give a whole mapping."""

UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path that may begin with `~`."""


class RecordedSettings(BaseModel):
    """What can be said of telemetry wherever it was recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_gap_s: Positive = 10.0
    """An extent ends where no sensor has a good sample for longer."""
    units: Annotated[dict[str, Text], NULL_IS_EMPTY] = Field(default_factory=dict)
    """Units of the recorded values, by sensor id, where they are not the machine file's, or not
    those that stand beside them."""
    resample: Annotated[ResampleSettings, NULL_IS_EMPTY] = ResampleSettings()
    """How samples are put on regular instants."""


class ReadingSettings(RecordedSettings):
    """How the rows of files and tables become signals."""

    time_zone: TimeZone | None = None
    """IANA zone of times without one; None refuses such times."""
    quality_accepted: tuple[str | int, ...] | None = Field(default=None, min_length=1)
    """Flags of good samples; None: all."""
    quality_column: Text | None = None
    """Column that holds the flags; None: one of any usual name, such as `quality` or `status`, also
    of one sensor, such as `p_out_quality` (`folder.quality`)."""


class FolderSettings(ReadingSettings):
    """Keys of `ParquetSource`."""

    folder: UserPath
    """Holds `*.parquet` and `*.csv`, at any depth."""
    machines: str | None = None
    """File, folder or glob of the machine files; None: `machines/` inside the folder."""
    labels: str | None = None
    """File, folder or glob of label files with the columns equipment_id, start, end and one a
    label; None: `labels/` inside the folder, if it is there."""
