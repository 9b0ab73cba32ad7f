"""Bodies of answers about the past: overview, diagnoses, series, signals, alarms, silences."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field

from hydrascope.monitoring.alarm import Alarm, AlarmDriver, AlarmEvent, AlarmLabel, Verdict
from hydrascope.schemas.base import AnyText
from hydrascope.schemas.machine import Machine
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.observations import cannot_tell
from hydrascope.serving.http.views import findings

if TYPE_CHECKING:
    from hydrascope.serving.service import Latest

Note = Annotated[AnyText, Field(max_length=10_000)]
Limit = Annotated[int, Field(ge=1, le=1000)]
Points = Annotated[int, Field(ge=1, le=5000)]
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
"""Times that can be asked for; beyond, a window would leave the calendar."""
Time = Annotated[AwareDatetime, Field(ge=FIRST, le=LAST)]


class OverviewQuery(BaseModel, extra="forbid"):
    """Which machines are asked for."""

    search: Annotated[AnyText, Field(max_length=200)] = ""
    """Part of an ID or a name."""
    limit: Limit = 100
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0


class MachineOverview(BaseModel):
    """One machine, at a glance."""

    equipment_id: str
    name: str
    topology: str
    health: float | None
    """Lowest health in the last window; null: no answer was reliable, or there is none."""
    cannot_tell: bool
    """Whether no answer to the last window was reliable."""
    last_seen: datetime | None
    """End of the last window."""
    trend: list[tuple[datetime, float]]
    """Lowest health of each of the last 30 days with a reliable answer."""
    open_alarms: int
    """Alarms that are not closed."""
    worst: str | None
    """Worst severity among them."""
    finding: str | None
    """What the newest of the worst found; without a database, what the last window shows."""

    @classmethod
    def of_last(cls, machine: Machine, last: "Latest | None") -> Self:
        """Return what a process knows of a machine without a database."""
        health = last.diagnosis.health if last else None
        found = findings(last.diagnosis) if last else []
        return cls(
            equipment_id=machine.equipment.equipment_id,
            name=machine.equipment.name,
            topology=machine.topology.id,
            health=health,
            cannot_tell=last is not None and cannot_tell(last.diagnosis),
            last_seen=last.diagnosis.window.end if last else None,
            trend=[],
            open_alarms=0,
            worst=None,
            finding=found[0] if found else None,
        )


class OverviewAnswer(BaseModel):
    """Machines, the worst first."""

    total: int
    """All machines that match."""
    machines: list[MachineOverview]


class DiagnosesQuery(BaseModel, extra="forbid"):
    """Which diagnoses are asked for."""

    start: Time = Field(FIRST, alias="from")
    end: Time = Field(LAST, alias="to")
    limit: Limit = 100
    cursor: Annotated[str, Field(max_length=200)] | None = None
    """`next` of the page before."""


class DiagnosisPage(BaseModel):
    """Diagnoses, the newest first."""

    diagnoses: list[Diagnosis]
    next: str | None
    """`cursor` of the next page; null: there are no more."""


class SeriesQuery(BaseModel, extra="forbid"):
    """Which numbers are asked for."""

    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    points: Points = 500
    """Most points of a line."""
    component_id: str | None = None
    """A component, or if it is empty the machine itself; by default all."""
    form: Literal["json", "csv"] = Field("json", alias="format")


class SeriesLine(BaseModel):
    """A number over time."""

    component_id: str
    """Empty for the machine itself."""
    head: str
    """Empty for the lowest health over all heads, and for normality."""
    label: str
    measure: Literal["health", "probability", "value", "normality"]
    unit: str
    points: list[tuple[datetime, float, float, float]]
    """Start, mean, lowest, highest."""


class SeriesAnswer(BaseModel):
    """Numbers over time, of reliable answers alone."""

    resolution: Literal["window", "hour", "day"]
    series: list[SeriesLine]


class SignalsQuery(BaseModel, extra="forbid"):
    """Which window is asked for."""

    start: Time
    points: Points = 300
    """Most values of a signal."""


class SignalLine(BaseModel):
    """A signal of a window."""

    unit: str
    state: Literal["ok", "missing", "stuck", "doubtful"]
    """What the diagnosis of this window says of the sensor; `ok` without one."""
    values: list[tuple[datetime, float | None, float | None]]
    """Start, lowest, highest of some samples; null where all are missing."""


class SignalsAnswer(BaseModel):
    """The signals of a window."""

    start: datetime
    end: datetime
    signals: dict[str, SignalLine]
    """By sensor ID."""


class AlarmView(BaseModel):
    """An alarm."""

    alarm_id: int
    equipment_id: str
    name: str
    rule: str
    component_id: str
    head: str
    finding: str
    severity: Literal["info", "warning", "critical"]
    state: Literal["open", "acknowledged", "closed"]
    since: datetime
    """Start of the first window that counted for it."""
    raised_at: datetime
    """End of the window with which it opened."""
    last_at: datetime
    """End of the last window that showed it."""
    over_at: datetime | None
    """End of the window with which it was over; null while it lasts."""
    windows: int
    """Windows that showed it."""
    peak: float
    """Number farthest beyond the threshold among these."""
    model: str
    drivers: list[AlarmDriver] | None
    """The sensors that contributed most come first; null: unknown."""
    verdict: Verdict | None
    """The last one; earlier ones are in the events."""
    closed_on: datetime | None
    labels: list[AlarmLabel]
    """What the verdict labels; none where the finding is no label of the task."""
    events: list[AlarmEvent]


class AlarmQuery(BaseModel, extra="forbid"):
    """Which alarms are asked for; without a key: any."""

    equipment_id: AnyText | None = None
    state: Literal["open", "acknowledged", "closed"] | None = None
    severity: Literal["info", "warning", "critical"] | None = None
    limit: Limit = 100
    cursor: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    """`next` of the page before."""


class AlarmList(BaseModel):
    """Alarms, the newest first."""

    alarms: list[AlarmView]
    next: str | None
    """`cursor` of the next page; null: there are no more."""


class NoteRequest(BaseModel, extra="forbid"):
    """A note, for those who come later."""

    note: Note = ""


class SilenceRequest(NoteRequest):
    """A time in which nobody is notified; what is null matches everything."""

    equipment_id: AnyText | None = None
    component_id: AnyText | None = None
    rule: AnyText | None = None
    starts: Time
    ends: Time


class SilenceView(SilenceRequest):
    """A silence."""

    silence_id: int
    actor: str


def alarm_view(alarm: Alarm) -> AlarmView:
    """Return an alarm as it is answered."""
    return AlarmView.model_validate(alarm, from_attributes=True)
