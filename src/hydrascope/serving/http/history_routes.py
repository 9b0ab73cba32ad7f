"""Routes of what has been diagnosed: the overview of all machines, and the past of one."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.past import lines_of, shown_signals, state_of
from hydrascope.serving.http.dependencies import (
    CanRead,
    CurrentMonitor,
    CurrentService,
    PathMachine,
)
from hydrascope.serving.http.history_views import (
    FIRST,
    LAST,
    DiagnosesQuery,
    DiagnosisPage,
    MachineOverview,
    OverviewAnswer,
    OverviewQuery,
    SeriesAnswer,
    SeriesLine,
    SeriesQuery,
    SignalLine,
    SignalsAnswer,
    SignalsQuery,
)
from hydrascope.serving.http.problems import ProblemError, responses
from hydrascope.serving.http.strict_json import StrictRoute
from hydrascope.serving.service import Service

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["history"])
_READING = responses(401, 403, 404, 422, 503)
_COLUMNS = ("time", "component_id", "head", "label", "measure", "unit", "mean", "lowest", "highest")


@router.get("/overview", responses=responses(401, 403, 422, 503))
async def overview(
    _: CanRead,
    service: CurrentService,
    which: Annotated[OverviewQuery, Query()],
) -> OverviewAnswer:
    """Show all machines, the worst first.

    Without a database, the last windows are those that this process has diagnosed.
    """
    if service.monitor is None:
        return await _remembered(service, which)
    found = await service.monitor.overview(which.search, which.limit, which.offset)
    machines = [MachineOverview(**each._asdict()) for each in found.machines]
    return OverviewAnswer(total=found.total, machines=machines)


@router.get("/equipment/{equipment_id}/diagnoses", responses=_READING)
async def list_diagnoses(
    _: CanRead,
    monitor: CurrentMonitor,
    machine: PathMachine,
    asked: Annotated[DiagnosesQuery, Query()],
) -> DiagnosisPage:
    """List the diagnoses of windows that end after `from` and not after `to`, the newest first."""
    name = machine.equipment.equipment_id
    start, end = _period(asked)
    before = _place(asked.cursor)
    page = await monitor.predictions.diagnoses(name, start, end, asked.limit, before)
    return DiagnosisPage(
        diagnoses=[Diagnosis.model_validate_json(each.content) for each in page.diagnoses],
        next=None if page.next is None else page.next.isoformat(),
    )


@router.get("/equipment/{equipment_id}/series", responses=_READING, response_model=SeriesAnswer)
async def show_series(
    _: CanRead,
    service: CurrentService,
    monitor: CurrentMonitor,
    machine: PathMachine,
    asked: Annotated[SeriesQuery, Query()],
) -> SeriesAnswer | Response:
    """Show the reliable numbers of a machine over time, down-sampled to `points` at most.

    The finest of windows, hours and days is taken. `format=csv` gives a table.
    """
    name, (start, end) = machine.equipment.equipment_id, _period(asked)
    resolution = await monitor.predictions.resolution(name, start, end, asked.points)
    if resolution == "window":
        page = await monitor.predictions.diagnoses(name, start, end, asked.points)
        diagnoses = [Diagnosis.model_validate_json(each.content) for each in page.diagnoses]
        lines = lines_of(reversed(diagnoses), service.engine.model.manifest.task.heads)
    else:
        lines = await monitor.predictions.series(name, start, end, resolution)
    series = [
        SeriesLine(
            **{key: value for key, value in line._asdict().items() if key != "points"},
            points=[(each.start, each.mean, each.lowest, each.highest) for each in line.points],
        )
        for line in lines
        if asked.component_id in (None, line.component_id)
    ]
    if asked.form == "csv":
        return Response(_table(series), media_type="text/csv; charset=utf-8")
    return SeriesAnswer(resolution=resolution, series=series)


@router.get("/equipment/{equipment_id}/signals", responses=_READING)
async def show_signals(
    _: CanRead,
    service: CurrentService,
    machine: PathMachine,
    asked: Annotated[SignalsQuery, Query()],
) -> SignalsAnswer:
    """Show the signals of the window that starts at `start`, `points` values each at most."""
    name, start = machine.equipment.equipment_id, asked.start
    last = service.latest.get(name)
    if last is not None and last.diagnosis.window.start == start:
        window, signals, diagnosis = last.diagnosis.window, last.window.signals, last.diagnosis
    else:
        end = start + timedelta(seconds=service.engine.model.window_s)
        window, diagnosis = TimeWindow(start=start, end=end), None
        if service.monitor is not None:
            page = await service.monitor.predictions.diagnoses(name, start, end, 1)
            found = [Diagnosis.model_validate_json(each.content) for each in page.diagnoses]
            diagnosis = next((each for each in found if each.window == window), None)
        signals = await service.equipment.read_signals(machine, window)
    shown = shown_signals(signals, window.start, asked.points)
    return SignalsAnswer(
        start=window.start,
        end=window.end,
        signals={
            sensor.id: SignalLine(
                unit=sensor.unit,
                state=state_of(diagnosis, sensor.id),
                values=shown.get(sensor.id, []),
            )
            for _, sensor in machine.topology.sensors
        },
    )


async def _remembered(service: Service, which: OverviewQuery) -> OverviewAnswer:
    """Return the overview of what this process has diagnosed."""
    word = which.search.casefold()
    machines = [
        MachineOverview.of_last(machine, service.latest.get(name))
        for name, machine in (await service.equipment.all()).items()
        if word in name.casefold() or word in machine.equipment.name.casefold()
    ]
    machines.sort(key=lambda each: (each.health is None, each.health or 0.0, each.equipment_id))
    return OverviewAnswer(total=len(machines), machines=machines[which.offset :][: which.limit])


def _period(asked: DiagnosesQuery | SeriesQuery) -> tuple[datetime, datetime]:
    """Return the time that is asked for.

    Raises:
        SpecError: It ends before it starts.
    """
    if asked.end <= asked.start:
        raise SpecError(f"expected a time after from, {asked.start.isoformat()}", path="to")
    return asked.start, asked.end


def _place(cursor: str | None) -> datetime | None:
    if cursor is None:
        return None
    try:
        end = datetime.fromisoformat(cursor)
    except ValueError:
        end = datetime.min
    if end.tzinfo is None or not FIRST <= end <= LAST:
        raise ProblemError(422, f"cursor: {cursor!r} is not accepted; expected `next` of a page.")
    return end


def _table(series: Sequence[SeriesLine]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for line in series:
        names = line.component_id, line.head, line.label, line.measure, line.unit
        for time, *numbers in line.points:
            writer.writerow((time.isoformat(), *names, *numbers))
    return text.getvalue()
