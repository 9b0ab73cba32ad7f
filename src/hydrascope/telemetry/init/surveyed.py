"""What a folder contains: machines, sensors, rates, labels and quality flags."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from hydrascope.schemas.base import COUNTER
from hydrascope.telemetry.folder.quality import is_usual
from hydrascope.telemetry.folder.statistics import Extremes
from hydrascope.telemetry.init.headers import SensorGuess
from hydrascope.telemetry.init.tables import RawTable

MOST_CLASSES = 20
"""The most values of a label that is no quantity."""
_GAP_PERIODS, _FEWEST_GAP_S = 5, 10.0


@dataclass
class MachineSurvey:
    """What was recorded of one machine."""

    first: pd.Timestamp
    last: pd.Timestamp
    periods_s: dict[str, float] = field(default_factory=dict)
    """The usual time between two samples of each sensor, by id."""
    samples: Counter[str] = field(default_factory=Counter)
    """The number of values of each sensor, by id."""

    @property
    def duration_s(self) -> float:
        """The time that is recorded, without gaps."""
        lengths = (self.samples[name] * period for name, period in self.periods_s.items())
        return max(lengths, default=0.0)


@dataclass
class Survey:
    """What a folder of telemetry contains."""

    tables: Sequence[RawTable]
    time_zone: str
    """Zone of times without one, or `COUNTER`."""
    sensors: dict[str, SensorGuess] = field(default_factory=dict)
    """The sensors by header, or by name in a narrow table."""
    machines: dict[str, MachineSurvey] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)
    """What files call a machine, by its id."""
    labels: list[pd.DataFrame] = field(default_factory=list)
    """The rows of labels: timestamp, equipment_id and a column for each label."""
    names: Sequence[str] = ()
    """The machine of each file, if no column names it."""
    remarks: list[str] = field(default_factory=list)
    """What had to be guessed of the folder as a whole."""
    omitted: set[str] = field(default_factory=set)
    """The columns that hold no numbers."""
    texts: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The texts of such columns by their name as a label, up to one more than a label may have."""
    unclear: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Two values of each column that has decimal commas and decimal points."""
    flags: Counter[str] = field(default_factory=Counter)
    """How many rows have each quality flag, of the first flags that were met."""
    extremes: defaultdict[str, Extremes] = field(default_factory=lambda: defaultdict(Extremes))
    """The extreme values of each sensor of all machines, by id."""
    rows_as_read: bool = True
    """Whether sources read times and machines' ids as they are."""

    @property
    def ids(self) -> dict[str, str]:
        """The ids of the sensors by header."""
        return {header: each.id for header, each in self.sensors.items()}

    @property
    def as_read(self) -> bool:
        """Whether sources read all files as they are."""
        return self.rows_as_read and all(table.as_read for table in self.tables)

    @property
    def period_s(self) -> float:
        """The period of the slowest sensor."""
        return max(max(each.periods_s.values()) for each in self.machines.values())

    @property
    def max_gap_s(self) -> float:
        """The longest time without samples within a recording."""
        return max(_FEWEST_GAP_S, _GAP_PERIODS * self.period_s)

    @property
    def has_long_gaps(self) -> bool:
        """Whether sources must be told how long a gap within a recording may be."""
        return self.max_gap_s > _FEWEST_GAP_S

    @property
    def flag_columns(self) -> list[str]:
        """The columns of quality flags."""
        every = [
            flag
            for table in self.tables
            for flag in (table.columns.flag, *(own for own, _ in table.columns.flags_of))
            if flag is not None
        ]
        return list(dict.fromkeys(every))

    @property
    def flags_in_words(self) -> str:
        """The quality flags, with the number of rows that have each."""
        return ", ".join(f"{flag} ({rows:,} rows)" for flag, rows in self.flags.most_common())

    @property
    def unusual_flags(self) -> str | None:
        """The column of flags that sources must be told, because they read it under its name."""
        column = self.tables[0].columns.flag
        return column if self.as_read and column is not None and not is_usual(column) else None

    @property
    def counter(self) -> str | None:
        """What the times count, such as `cycle`; None: they are times."""
        if self.time_zone != COUNTER:
            return None
        return next((each.columns.time for each in self.tables if each.columns.time), "count")
