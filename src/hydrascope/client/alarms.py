"""Methods of alarms, silences and events."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Literal

from pydantic import BaseModel

from hydrascope.client.connection import Connection, path_of
from hydrascope.monitoring.alarm import State, Verdict
from hydrascope.monitoring.observation import Diagnosed
from hydrascope.serving.http.history_views import (
    AlarmList,
    AlarmView,
    NoteRequest,
    SilenceRequest,
    SilenceView,
)
from hydrascope.serving.http.verdict_views import CloseRequest, VerdictRequest

_PAGE = 1000
"""Alarms of a page; the service gives no more at once."""
_EVENTS: dict[str, type[AlarmView | Diagnosed]] = {"alarm": AlarmView, "diagnosis": Diagnosed}
_path = partial(path_of, "alarms")


class AlarmMethods:
    """The methods of `Client` that concern alarms, silences and events."""

    _service: Connection

    def alarms(
        self,
        *,
        state: State | None = None,
        severity: Literal["info", "warning", "critical"] | None = None,
        equipment_id: str | None = None,
    ) -> list[AlarmView]:
        """List the alarms that match, the newest first."""
        query: dict[str, object] = {"state": state, "severity": severity, "limit": _PAGE}
        query["equipment_id"] = equipment_id
        found: list[AlarmView] = []
        while True:
            page = self._service.read(AlarmList, "alarms", query)
            found += page.alarms
            if page.next is None:
                return found
            query["cursor"] = page.next

    def alarm(self, alarm_id: int) -> AlarmView:
        """Show an alarm and everything that happened to it."""
        return self._service.read(AlarmView, _path(alarm_id))

    def acknowledge(self, alarm_id: int, note: str = "") -> AlarmView:
        """Say that somebody takes care of an open alarm."""
        return self._act(alarm_id, "acknowledge", NoteRequest(note=note))

    def comment(self, alarm_id: int, note: str) -> AlarmView:
        """Write a note to an alarm."""
        return self._act(alarm_id, "comment", NoteRequest(note=note))

    def close_alarm(
        self,
        alarm_id: int,
        note: str = "",
        *,
        verdict: Verdict | None = None,
        value: float | None = None,
        repaired_at: datetime | None = None,
    ) -> AlarmView:
        """Close an alarm, with what was found at the machine, as in `judge_alarm`."""
        body = CloseRequest(note=note, verdict=verdict, value=value, repaired_at=repaired_at)
        return self._act(alarm_id, "close", body)

    def judge_alarm(
        self,
        alarm_id: int,
        verdict: Verdict,
        note: str = "",
        *,
        value: float | None = None,
        repaired_at: datetime | None = None,
    ) -> AlarmView:
        """Say what was found at the machine, which becomes a label.

        Args:
            alarm_id: The alarm, in any state.
            verdict: What was found.
            note: In words.
            value: Of the fault, such as a severity, where the alarm does not tell.
            repaired_at: With `repaired`: from when on the machine is sound; None: now.
        """
        body = VerdictRequest(note=note, verdict=verdict, value=value, repaired_at=repaired_at)
        return self._act(alarm_id, "verdict", body)

    def reopen(self, alarm_id: int, note: str = "") -> AlarmView:
        """Open a closed alarm again."""
        return self._act(alarm_id, "reopen", NoteRequest(note=note))

    def silences(self) -> list[SilenceView]:
        """List the silences that have not ended."""
        return self._service.read(list[SilenceView], "silences")

    def silence(self, silence: SilenceRequest) -> SilenceView:
        """Notify nobody of some alarms for a time."""
        return self._service.read(SilenceView, "silences", body=silence)

    def end_silence(self, silence_id: int) -> None:
        """End a silence now."""
        self._service.send(path_of("silences", silence_id), method="DELETE")

    def events(self) -> Iterator[AlarmView | Diagnosed]:
        """Yield alarms that change and windows that a watch has diagnosed, until either leaves."""
        for kind, data in self._service.events("events"):
            if kind in _EVENTS:
                yield self._service.parse(_EVENTS[kind], data, "events")

    def _act(self, alarm_id: int, action: str, body: BaseModel) -> AlarmView:
        return self._service.read(AlarmView, _path(alarm_id, action), body=body)
