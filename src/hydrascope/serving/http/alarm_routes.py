"""Routes of alarms and silences, which need a database."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from hydrascope.monitoring.alarm import AlarmFilter, Silence
from hydrascope.serving.http.dependencies import (
    HIGHEST_ID,
    CanOperate,
    CanRead,
    CurrentMonitor,
    PathAlarm,
)
from hydrascope.serving.http.history_views import (
    AlarmList,
    AlarmQuery,
    AlarmView,
    NoteRequest,
    SilenceRequest,
    SilenceView,
    alarm_view,
)
from hydrascope.serving.http.problems import ProblemError, responses
from hydrascope.serving.http.strict_json import StrictRoute
from hydrascope.serving.http.verdict_views import CloseRequest, VerdictRequest

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["alarms"])
_READING = responses(401, 403, 404, 422, 503)
_WRITING = responses(400, 401, 403, 404, 413, 415, 422, 503)


@router.get("/alarms", responses=_READING)
async def list_alarms(
    _: CanRead,
    monitor: CurrentMonitor,
    which: Annotated[AlarmQuery, Query()],
) -> AlarmList:
    """List alarms, the newest first."""
    asked = AlarmFilter(which.equipment_id, which.state, which.severity)
    page = await monitor.alarms.page(asked, which.limit, which.cursor)
    after = None if page.next is None else str(page.next)
    return AlarmList(alarms=[alarm_view(each) for each in page.alarms], next=after)


@router.get("/alarms/{alarm_id}", responses=_READING)
async def show_alarm(_: CanRead, alarm: PathAlarm) -> AlarmView:
    """Show an alarm and everything that happened to it."""
    return alarm_view(alarm)


@router.post("/alarms/{alarm_id}/acknowledge", responses=_WRITING)
async def acknowledge_alarm(
    key: CanOperate, monitor: CurrentMonitor, alarm: PathAlarm, request: NoteRequest
) -> AlarmView:
    """Say that somebody takes care of an open alarm; one that is over is closed by that."""
    alarms, number = monitor.alarms, alarm.alarm_id
    return alarm_view(await alarms.acknowledge(number, key.name, request.note))


@router.post("/alarms/{alarm_id}/close", responses=_WRITING)
async def close_alarm(
    key: CanOperate, monitor: CurrentMonitor, alarm: PathAlarm, request: CloseRequest
) -> AlarmView:
    """Close an alarm, with what was found; if the finding lasts, a new alarm is raised."""
    alarms, number = monitor.alarms, alarm.alarm_id
    return alarm_view(await alarms.close(number, key.name, request.note, request.judgement()))


@router.post("/alarms/{alarm_id}/verdict", responses=_WRITING)
async def judge_alarm(
    key: CanOperate, monitor: CurrentMonitor, alarm: PathAlarm, request: VerdictRequest
) -> AlarmView:
    """Say what was found, whatever the alarm's state; it becomes labels of the next training."""
    alarms, number = monitor.alarms, alarm.alarm_id
    return alarm_view(await alarms.judge(number, key.name, request.judgement(), request.note))


@router.post("/alarms/{alarm_id}/reopen", responses=_WRITING)
async def reopen_alarm(
    key: CanOperate, monitor: CurrentMonitor, alarm: PathAlarm, request: NoteRequest
) -> AlarmView:
    """Open a closed alarm again."""
    return alarm_view(await monitor.alarms.reopen(alarm.alarm_id, key.name, request.note))


@router.post("/alarms/{alarm_id}/comment", responses=_WRITING)
async def comment_alarm(
    key: CanOperate, monitor: CurrentMonitor, alarm: PathAlarm, request: NoteRequest
) -> AlarmView:
    """Write a note to an alarm."""
    return alarm_view(await monitor.alarms.comment(alarm.alarm_id, key.name, request.note))


@router.get("/silences", responses=_READING)
async def list_silences(_: CanRead, monitor: CurrentMonitor) -> list[SilenceView]:
    """List the silences that have not ended."""
    return [SilenceView(**each._asdict()) for each in await monitor.silences.all()]


@router.post("/silences", status_code=201, responses=_WRITING)
async def add_silence(
    key: CanOperate, monitor: CurrentMonitor, request: SilenceRequest
) -> SilenceView:
    """Notify nobody of some alarms for a time; they are raised all the same."""
    given = SilenceView(**request.model_dump(), silence_id=0, actor=key.name)
    added = await monitor.silences.add(Silence(**given.model_dump()))
    return SilenceView(**added._asdict())


@router.delete(
    "/silences/{silence_id}", status_code=204, response_class=Response, responses=_READING
)
async def end_silence(
    _: CanOperate, monitor: CurrentMonitor, silence_id: Annotated[int, Path(ge=1, le=HIGHEST_ID)]
) -> None:
    """End a silence now."""
    if not await monitor.silences.end(silence_id):
        raise ProblemError(404, "There is no such silence, or it has ended.")
