"""A visit to one machine: its next windows are found, diagnosed and written, each exactly once.

What a visit writes is one transaction. It begins with a comparison of the machine's progress with
what it was when the visit began; if another worker was faster, nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from hydrascope.features.sub_windows import WindowSpec
from hydrascope.monitoring.observation import DiagnosedWindow
from hydrascope.monitoring.predictions import write_predictions
from hydrascope.monitoring.watches import (
    Progress,
    Standing,
    WatchRepository,
    lock_standing,
    save_progress,
)
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.diagnosis.observations import as_kept, for_rules
from hydrascope.serving.windows import GivenReference, TelemetryWindow
from hydrascope.telemetry.resampling import ResampleSettings, regular
from hydrascope.telemetry.times import EARLIEST_US, as_microseconds, as_time
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.window_signals import margin_beside_us, window_signals
from hydrascope.watch.alarms import AlarmJudge, Judged, ObservedWindow
from hydrascope.watch.grid import Grid, Place, can_settle, has_all, in_us, lay, stretches
from hydrascope.watch.metrics import WatchMetrics
from hydrascope.watch.model import WatchModel
from hydrascope.watch.settings import WatchSettings
from hydrascope.watch.telemetry import Telemetry, TelemetryReader


class Subject(NamedTuple):
    """A machine that the model can read."""

    key: int
    machine: Machine
    given: GivenReference | None
    """Its own reference windows."""


class Visited(NamedTuple):
    """What came of a visit."""

    windows: int
    """The windows diagnosed."""
    more: bool
    """Whether further windows may be due."""


@dataclass(frozen=True)
class _Found:
    """The windows that are due, and their telemetry."""

    telemetry: Telemetry
    starts_us: Sequence[int]
    place: Place
    more: bool


class Visitor:
    """Visits machines.

    Args:
        settings: Of the watch.
        model: Answers.
        database: Holds telemetry and takes diagnoses.
        metrics: Count what is done.
        alarms: Makes alarms of what is found.
    """

    def __init__(
        self,
        settings: WatchSettings,
        model: WatchModel,
        database: Database,
        metrics: WatchMetrics,
        alarms: AlarmJudge,
    ) -> None:
        window = model.manifest.window
        stride_s = settings.stride_s or window.window_s
        self.database = database
        self._settings, self._model, self._metrics = settings, model, metrics
        self._alarms = alarms
        self._spec = WindowSpec(window.window_s, stride_s, window.steps)
        window_us, stride_us = in_us(window.window_s), in_us(stride_s)
        aligned = model.judges_input and stride_us % window_us == 0
        max_gap_s = settings.max_gap_s or window.max_gap_s
        self._grid = Grid(window_us, stride_us, in_us(max_gap_s), aligned)
        lateness_s = settings.lateness_s
        self._lateness_us = 5 * window_us if lateness_s is None else round(lateness_s * 1e6)
        self._reader = TelemetryReader(database)
        self._watches = WatchRepository(database)

    async def visit(self, subject: Subject) -> Visited:
        """Diagnose the next windows of a machine that are due, at most a batch.

        Raises:
            DatabaseError: The database does not answer.
            SpecError: The model cannot answer the windows.
        """
        while (visited := await self._attempt(subject)) is None:
            pass
        self._metrics.windows.inc(visited.windows)
        return visited

    async def _attempt(self, subject: Subject) -> Visited | None:
        """Visit a machine; return None if something came between the reading and the writing."""
        standing = await self._watches.standing(subject.key)
        newest_us = await self._reader.newest_us(subject.machine)
        if newest_us is None:
            return Visited(0, more=False)
        if standing.progress is None:
            return await self._begun(subject, newest_us)
        with self._metrics.stage("read"):
            found = await self._find(subject, standing.progress, newest_us)
        windows, judged = await self._answered(subject, found, standing.progress.rules)
        progress = Progress(
            as_time(found.place.upto_us),
            as_time(found.place.covered_us),
            found.place.begun,
            standing.progress.newest if found.more else as_time(newest_us),
            standing.progress.seen if found.more else standing.revision,
            judged.state,
        )

        async def work(connection: Connection) -> bool:
            if not await self._is_unchanged(connection, subject, standing, found):
                return False
            version = self._model.version if windows else None
            if version is not None:
                await write_predictions(connection, subject.key, windows, version, "watch")
                await self._alarms.write(connection, subject.key, judged)
            await save_progress(connection, subject.key, progress, version)
            return True

        with self._metrics.stage("write"):
            written = await self.database.transaction(work)
        return Visited(len(windows), found.more) if written else None

    async def _begun(self, subject: Subject, newest_us: int) -> Visited | None:
        """Begin to watch a machine, once nothing can come before its first sample any more."""
        limit_us = EARLIEST_US
        if self._settings.catch_up_s is not None:
            limit_us = newest_us - round(self._settings.catch_up_s * 1e6)
        first_us = await self._reader.next_good_us(subject.machine, limit_us)
        if first_us is None or first_us > newest_us - self._lateness_us:
            return Visited(0, more=False)
        await self._watches.begin(subject.key, as_time(first_us))
        return None

    async def _find(self, subject: Subject, progress: Progress, newest_us: int) -> _Found:
        machine, grid = subject.machine, self._grid
        place = Place(
            as_microseconds(progress.upto), as_microseconds(progress.covered), progress.begun
        )
        horizon_us = newest_us - self._lateness_us
        most, span_us = self._room(machine)
        beside_us = margin_beside_us(machine)
        sensors = [sensor for _, sensor in machine.topology.sensors]
        while True:
            from_us = min(place.upto_us, place.covered_us) - beside_us
            end_us = min(newest_us + 1, max(place.upto_us, place.covered_us) + span_us + beside_us)
            telemetry = await self._reader.read(machine, from_us, end_us)
            samples = telemetry.samples
            found = stretches(grid, place, sensors, samples)
            complete = partial(has_all, sensors, samples, grid.window_us)
            laid = lay(grid, place, found, horizon_us, complete, most)
            truncated = end_us <= newest_us
            if laid.starts_us:
                more = truncated or len(laid.starts_us) == most or laid.unsettled is not None
                return _Found(telemetry, laid.starts_us, laid.place, more)
            moved, place = laid.place != place, laid.place
            if laid.waits:
                return _Found(telemetry, (), place, more=False)
            if moved and truncated:
                continue  # the new stretch is read from its start on
            if laid.unsettled is not None:
                known = has_all(sensors, samples, grid.looked_at_us, laid.unsettled[0])
                if not (known or can_settle(grid, laid.unsettled, horizon_us)):
                    return _Found(telemetry, (), place, more=False)
                place = await self._settled(subject, telemetry, laid.unsettled)
                continue
            # Where more was recorded than read, no window fits before the gap at its end.
            next_us = await self._reader.next_good_us(machine, end_us) if truncated else None
            if next_us is None or next_us > horizon_us:
                return _Found(telemetry, (), place, more=False)
            place = Place(next_us, next_us, begun=False)

    def _room(self, machine: Machine) -> tuple[int, int]:
        """Return the most windows of a batch, and the time in microseconds that is read for it.

        It is as long as a window, a stride and a gap at least, so that it shows whether another
        window follows.
        """
        grid = self._grid
        least_us = max(grid.window_us + grid.max_gap_us, grid.looked_at_us + grid.max_gap_us)
        samples_per_us = sum(s.rate_hz for _, s in machine.topology.sensors) / 1e6
        room_us = self._settings.batch_samples / max(samples_per_us, 1e-12) - least_us
        most = max(1, min(self._settings.batch, int(room_us / grid.stride_us)))
        return most, most * grid.stride_us + least_us

    def _window(self, subject: Subject, telemetry: Telemetry, start_us: int) -> TelemetryWindow:
        machine, end_us = subject.machine, start_us + self._grid.window_us
        sensors = [sensor for _, sensor in machine.topology.sensors]
        signals = window_signals(sensors, telemetry.samples, start_us, end_us)
        if not signals:  # a short gap can be longer than a window
            ends = {"origin_us": start_us, "first_us": start_us, "end_us": end_us}
            signals = {s.id: regular(None, s, **ends, settings=ResampleSettings()) for s in sensors}
        return TelemetryWindow(machine, as_time(start_us), signals, subject.given)

    async def _settled(
        self, subject: Subject, telemetry: Telemetry, stretch: tuple[int, int]
    ) -> Place:
        """Return where the windows of a new stretch start."""
        begin_us, end_us = stretch
        looked_at_us = min(end_us, begin_us + self._grid.looked_at_us)
        looked_at = TimeWindow(start=as_time(begin_us), end=as_time(looked_at_us))
        window_at = partial(self._window, subject, telemetry)
        with self._metrics.stage("answer"):
            found = await self._model.settled(subject.machine, self._spec, looked_at, window_at)
        start_us = as_microseconds(found.start)
        return Place(start_us, start_us, begun=True)

    async def _answered(
        self, subject: Subject, found: _Found, rules: Mapping[str, Any]
    ) -> tuple[list[DiagnosedWindow], Judged]:
        """Answer the windows; return what is to be written of them, and their alarms."""
        windows = [self._window(subject, found.telemetry, each) for each in found.starts_us]
        manifest, version = self._model.manifest, self._model.version
        least_right = self._settings.least_right
        diagnosed, observed = [], []
        with self._metrics.stage("answer"):
            answers = await self._model.answer(windows) if windows else []
            for window, answer in zip(windows, answers, strict=True):
                diagnosis = build_diagnosis(window, answer, manifest, version, least_right)
                normality = diagnosis.normality
                if normality is not None and normality.new_operating_point:
                    self._metrics.new_operating_points.inc()
                blamed = normality.blamed if normality is not None else None
                judged = for_rules(diagnosis, manifest.task.heads)
                observed.append(ObservedWindow(window, judged, blamed))
                diagnosed.append(as_kept(diagnosis, manifest.task.heads))
            return diagnosed, await self._alarms.judge(rules, observed)

    async def _is_unchanged(
        self, connection: Connection, subject: Subject, before: Standing, found: _Found
    ) -> bool:
        """Return whether nothing has come between; the caller's transaction then keeps it so."""
        now = await lock_standing(connection, subject.key)
        if now.progress != before.progress:
            return False
        if not found.starts_us or now.revision == before.revision:
            return True
        ends = found.telemetry.first_us, found.telemetry.end_us
        again = await self._reader.read_on(connection, subject.machine, *ends)
        return again.equals(found.telemetry)
