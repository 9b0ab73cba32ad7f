"""What a silence is."""

from datetime import datetime
from typing import NamedTuple


class Silence(NamedTuple):
    """A time in which nobody is notified of some alarms; None matches everything."""

    silence_id: int
    equipment_id: str | None
    component_id: str | None
    rule: str | None
    starts: datetime
    ends: datetime
    actor: str
    note: str
