"""A diagnosis as it is written into the database; needs no database itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from hydrascope.monitoring.observation import Observation


class DiagnosedWindow(NamedTuple):
    """A diagnosis as it is written."""

    start: datetime
    end: datetime
    content: str
    """The diagnosis as JSON."""
    health: float | None
    """The lowest health; None where no answer is reliable, or the task has none."""
    cannot_tell: bool
    """Whether there are answers and none is reliable."""
    observations: Sequence[Observation]
