"""The parts of a running service, and the path of a request through them."""

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry import trace

from hydrascope.packaging.following import FollowedBundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.access.api_keys import ApiKeys
from hydrascope.serving.access.rate_limiter import RateLimiter
from hydrascope.serving.diagnosis.cache import Cache, cache_key
from hydrascope.serving.diagnosis.diagnosis import Diagnosis, Timing, build_diagnosis
from hydrascope.serving.diagnosis.requests import DiagnoseRequest, ReferenceRequest
from hydrascope.serving.diagnosis.scores import observe_answer
from hydrascope.serving.engine.breaker import BreakerState
from hydrascope.serving.engine.engine import Engine
from hydrascope.serving.engine.errors import BreakerOpenError, EngineError, StoppedError
from hydrascope.serving.engine.model_store import ModelStore
from hydrascope.serving.equipment.references import (
    ReferenceVerdict,
    check_length,
    check_use,
    silent_sensors,
)
from hydrascope.serving.equipment.store import EquipmentStore, find_window
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.settings import ServeSettings
from hydrascope.serving.windows import GivenReference, ReferenceUse, TelemetryWindow, Timings

if TYPE_CHECKING:
    from hydrascope.serving.monitor import Monitor

_LOG = logging.getLogger(__name__)
_TRACER = trace.get_tracer("hydrascope")
_LATEST = 1000
"""Machines whose last diagnosis is kept for the page."""


class Latest(NamedTuple):
    """The last window of a machine that this process diagnosed."""

    diagnosis: Diagnosis
    window: TelemetryWindow


@dataclass(eq=False)
class Service:
    """Answers requests that were read and checked.

    Made by `startup.start_service`, ended by `stop`; used in one event loop.

    Attributes:
        bundle_folder: Holds a bundle of a registry; a model may be opened from it again.
        monitor: What a watch has found; None without a database.
        latest: By equipment ID, the most recent last.
        ready: Whether requests are accepted.
    """

    settings: ServeSettings
    metrics: Metrics
    api_keys: ApiKeys
    rate_limiter: RateLimiter
    engine: Engine
    models: ModelStore
    equipment: EquipmentStore
    cache: Cache
    bundle_folder: TemporaryDirectory[str]
    monitor: "Monitor | None" = None
    latest: OrderedDict[str, Latest] = field(default_factory=OrderedDict)
    ready: bool = True
    _following: asyncio.Task[None] | None = field(default=None, init=False)

    async def stop(self) -> None:
        """Answer the requests that wait, then release all resources."""
        self.ready = False
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self.engine.stop(self.settings.drain_s)
        await self.models.close()
        await self.cache.close()
        await self.equipment.close()
        if self.monitor is not None:
            await self.monitor.close()
        self.bundle_folder.cleanup()

    def follow(self, followed: FollowedBundle, every_s: float) -> None:
        """Answer by whatever the alias of a bundle points to, from now on until `stop`.

        A bundle that cannot be opened is named in the log, and the present one stays.
        """

        async def work() -> None:
            async for path in followed.moves(every_s):
                try:
                    await self.models.activate_bundle(path)
                except SpecError as error:
                    _LOG.error("%s: not activated: %s", path, error)
                except Exception:  # noqa: BLE001, the present model goes on answering
                    _LOG.exception("%s: not activated", path)

        self._following = asyncio.create_task(work())

    def refusal(self) -> EngineError | None:
        """Return why no diagnosis is accepted now, or None."""
        if not self.ready:
            return StoppedError()
        if (refusal := self.engine.refusal()) is not None:
            return refusal
        if self.engine.breaker.state is BreakerState.OPEN:
            return BreakerOpenError(self.settings.breaker_open_s)
        return None

    async def diagnose(self, request: DiagnoseRequest) -> Diagnosis:
        """Answer one request.

        Raises:
            SpecError: The request cannot be answered.
            EngineError: It cannot be answered now.
            UnavailableError: The database does not answer.
        """
        started = time.perf_counter()
        with _TRACER.start_as_current_span("read"):
            window = await self._window(request)
        version = self.engine.model.version
        key = cache_key(window, version)
        found = await self.cache.get(key)
        self.metrics.cache.labels("miss" if found is None else "hit").inc()
        if found is not None:
            timing = _timing(started, 0.0, Timings(0.0, 0.0, 0.0))
            answer = found.model_copy(update={"cached": True, "timing": timing})
        else:
            with _TRACER.start_as_current_span("engine"):
                answered = await self.engine.answer(window)
            model = answered.model
            found = build_diagnosis(
                window,
                answered.answer,
                model.manifest,
                model.version,
                self.settings.least_right,
            )
            times = answered.batch
            self.metrics.observe_stages(answered.queue_s, times.features_s, times.network_s)
            observe_answer(self.metrics, window.machine, answered.answer, found)
            if model.version == version:
                await self.cache.put(key, found)
            timing = _timing(started, answered.queue_s, times)
            answer = found.model_copy(update={"timing": timing})
        if request.store:
            await self.equipment.save_diagnosis(found)
        self._remember(answer, window)
        return answer

    async def save_reference(self, machine: Machine, request: ReferenceRequest) -> ReferenceVerdict:
        """Save reference windows of a machine, for all windows to come.

        Raises:
            SpecError: A window cannot be read, no sensor is observed in any, or there is no place
                to save them.
            DeadlineError, EngineFaultError: As `Engine.check`.
        """
        window_s = self.engine.model.window_s
        windows = []
        for number, each in enumerate(request.windows):
            try:
                windows.append(await find_window(self.equipment, each, machine, window_s))
            except SpecError as error:
                raise error.under(f"windows[{number}]") from None
        given = GivenReference(machine, window_s, tuple(windows))
        use = await self._check(machine, given)
        if use not in (ReferenceUse.GIVEN, None):
            raise SpecError("no sensor is observed in any of them", path="windows")
        await self.equipment.save_reference(given)
        return ReferenceVerdict(
            equipment_id=machine.equipment.equipment_id,
            windows=len(windows),
            reference=use,
            silent=silent_sensors(given),
        )

    async def _window(self, request: DiagnoseRequest) -> TelemetryWindow:
        window_s = self.engine.model.window_s
        machine = await self.equipment.get(request.equipment_id)
        given = await self.equipment.reference(machine)
        usable = given if given is not None and given.window_s == window_s else None
        use = await self._check(machine, usable)
        if given is not None and use is not None:
            check_length(given, window_s)
        check_use(use, request.equipment_id)
        window = await find_window(self.equipment, request, machine, window_s)
        return replace(window, given=usable)

    async def _check(self, machine: Machine, given: GivenReference | None) -> ReferenceUse | None:
        try:
            return await self.engine.check(machine, given)
        except SpecError as error:
            raise SpecError(str(error), path="equipment_id") from None

    def _remember(self, answer: Diagnosis, window: TelemetryWindow) -> None:
        self.latest[answer.equipment_id] = Latest(answer, window)
        self.latest.move_to_end(answer.equipment_id)
        if len(self.latest) > _LATEST:
            self.latest.popitem(last=False)


def _timing(started: float, queue_s: float, batch: Timings) -> Timing:
    return Timing(
        queue_ms=1000 * queue_s,
        features_ms=1000 * batch.features_s,
        network_ms=1000 * batch.network_s,
        total_ms=1000 * (time.perf_counter() - started),
    )
