"""Validated settings of recorded telemetry."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from hydrascope.schemas.base import CheckedModel, Positive, Text, ZoneOrCounter
from hydrascope.telemetry.resampling import ResampleSettings

NULL_IS_EMPTY = BeforeValidator(lambda given: {} if given is None else given)
"""Accepts null for an empty mapping, so that a command line can set the whole mapping."""

UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path that can begin with `~`."""


class RecordedSettings(CheckedModel):
    """Settings of telemetry, wherever it was recorded."""

    max_gap_s: Positive = 10.0
    """An extent ends if no sensor has a good sample for longer than this."""
    units: Annotated[dict[str, Text], NULL_IS_EMPTY] = Field(default_factory=dict)
    """Units of the recorded values, by sensor id, if they differ from the machine file or from the
    recorded units."""
    resample: Annotated[ResampleSettings, NULL_IS_EMPTY] = ResampleSettings()
    """How samples are resampled to regular instants."""


class ReadingSettings(RecordedSettings):
    """How the rows of files and tables become signals."""

    time_zone: ZoneOrCounter | None = None
    """IANA zone of times without a zone; None refuses such times. `counter`: they are counts."""
    quality_accepted: tuple[str | int, ...] | None = Field(default=None, min_length=1)
    """Flags of good samples; None: all."""
    quality_column: Text | None = None
    """The column of flags; None: one with a usual name, such as `quality` or `status`, or for one
    sensor `p_out_quality` (`folder.quality`)."""


class FolderSettings(ReadingSettings):
    """Keys of `ParquetSource`."""

    folder: UserPath
    """Folder of `*.parquet` and `*.csv` files, at any depth."""
    machines: str | None = None
    """File, folder or glob of the machine files; None: `machines/` inside the folder."""
    labels: str | None = None
    """File, folder or glob of label files with the columns equipment_id, start, end and one for
    each label; None: `labels/` inside the folder, if it exists."""
