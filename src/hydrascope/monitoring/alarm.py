"""What an alarm is, and a silence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from hydrascope.monitoring.meaning import Meaning

State = Literal["open", "acknowledged", "closed"]
Verdict = Literal["confirmed", "false_alarm", "repaired"]
"""What somebody found at the machine."""


class Judgement(NamedTuple):
    """What somebody found."""

    verdict: Verdict
    value: float | None = None
    """Of the fault, such as a severity, where the alarm does not tell."""
    repaired_at: datetime | None = None
    """Telemetry time from which the machine is sound; None: now."""


@dataclass(frozen=True)
class AlarmDriver:
    """How much a sensor contributed to a finding."""

    sensor: str
    share: float
    """Of what all sensors contributed; negative if it speaks against the finding."""


@dataclass(frozen=True)
class AlarmEvent:
    """Something that happened to an alarm."""

    action: str
    actor: str
    """The name of a key, or `watch`."""
    note: str
    verdict: Verdict | None
    """What was found, where that was said."""
    at: datetime


@dataclass(frozen=True)
class AlarmLabel:
    """A label of a verdict, which a training reads."""

    starts: datetime
    ends: datetime
    content: dict[str, float]
    """Label column → its value."""
    author: str
    """The name of the key that gave the verdict."""
    given_on: datetime


class Alarm(NamedTuple):
    """An alarm. Its times are those of the telemetry, but for `closed_on` and those of events."""

    alarm_id: int
    equipment_id: str
    name: str
    """The machine's."""
    rule: str
    component_id: str
    """Empty for the machine itself."""
    head: str
    finding: str
    """A class or label; empty for a value, a health or a normality."""
    severity: str
    state: State
    since: datetime
    """The start of the first window that counted for it."""
    raised_at: datetime
    """The end of the window with which it opened."""
    last_at: datetime
    """The end of the last window that showed it."""
    over_at: datetime | None
    """The end of the window with which it was over; None while it lasts."""
    windows: int
    """The windows that showed it."""
    peak: float
    """The number farthest beyond the threshold among these."""
    model: str
    """The version of the model that answered last."""
    drivers: tuple[AlarmDriver, ...] | None
    """The sensors that contributed most come first; None: unknown."""
    verdict: Verdict | None
    """The last one; earlier ones are in the events."""
    closed_on: datetime | None
    meaning: Meaning | None
    """What a verdict labels; None: its finding is no label of the task."""
    labels: tuple[AlarmLabel, ...]
    """What the last verdict labels."""
    events: tuple[AlarmEvent, ...]


class AlarmFilter(NamedTuple):
    """Which alarms are asked for; None: any."""

    equipment_id: str | None = None
    state: str | None = None
    severity: str | None = None


class AlarmPage(NamedTuple):
    """Some alarms, and the place behind which the next ones are."""

    alarms: list[Alarm]
    next: int | None
    """`alarm_id` of the last one; None: there are no more."""


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
