"""The parts of a running service, put together, and one question's way through them."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from opentelemetry import trace

from hydrascope.packaging.manifest import Manifest
from hydrascope.packaging.registry import fetch, is_registered
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.answers import Diagnosis, Timing, diagnosis, outcomes
from hydrascope.serving.breaker import BreakerOpenError, BreakerState, CircuitBreaker
from hydrascope.serving.cache import Cache, MemoryCache, RedisCache, cache_key
from hydrascope.serving.engine import Answered, Engine, EngineConfig
from hydrascope.serving.fleet import Fleet, LocalFleet, asked_window
from hydrascope.serving.keys import Keys, RateLimit
from hydrascope.serving.metrics import Metrics
from hydrascope.serving.model_process import ModelProcess
from hydrascope.serving.references import ReferenceVerdict, check_length, check_use, silent
from hydrascope.serving.refusals import StoppedError
from hydrascope.serving.requests import DiagnoseRequest, ReferenceRequest
from hydrascope.serving.scores import drift_names, scores
from hydrascope.serving.settings import ServeSettings
from hydrascope.serving.shelf import Shelf, warm_up_sizes
from hydrascope.serving.windows import GivenReference, Model, ReferenceUse, TelemetryWindow

_TRACER = trace.get_tracer("hydrascope")
_LATEST = 1000
"""Machines whose last diagnosis is kept for people to look at."""
_BREAKER = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}


class Latest(NamedTuple):
    """The last window of a machine that this process was asked about."""

    diagnosis: Diagnosis
    window: TelemetryWindow


class Service:
    """Everything between a request that was understood and its answer.

    Made by `start`, ended by `stop`; lives in one event loop.
    """

    def __init__(
        self,
        settings: ServeSettings,
        engine: Engine,
        shelf: Shelf,
        fleet: Fleet,
        cache: Cache,
        metrics: Metrics,
        files: TemporaryDirectory[str],
    ) -> None:
        self.settings, self.engine, self.shelf = settings, engine, shelf
        self.fleet, self.cache, self.metrics = fleet, cache, metrics
        self.keys = Keys(settings.keys)
        self.rate = RateLimit(settings.rate_per_s, settings.burst)
        self._files = files
        self.latest: OrderedDict[str, Latest] = OrderedDict()
        self.ready = False

    @classmethod
    async def start(cls, settings: ServeSettings, metrics: Metrics) -> "Service":
        """Load the bundle, warm it up, connect to what is configured.

        Raises:
            SpecError: The bundle, or another file that settings name, is not as it should be.
        """
        open_model = partial(
            ModelProcess.open,
            verify_key=settings.verify_key,
            device=settings.device,
            threads=settings.threads,
        )
        # A model may be opened again, so that its files stay as long as the service.
        files = TemporaryDirectory(prefix="hydrascope-bundle-")
        path = await asyncio.to_thread(_located, settings, Path(files.name))
        model = await open_model(path)
        breaker = CircuitBreaker(
            settings.breaker_failures, settings.breaker_open_s, settings.breaker_probes
        )
        config = EngineConfig(
            settings.max_batch, settings.max_wait_ms / 1000, settings.queue, settings.deadline_s
        )
        engine = Engine(model, config, breaker, metrics)
        await engine.warm_up(warm_up_sizes(settings.max_batch))
        shelf = Shelf(engine, settings.models, settings.verify_key, open_model, metrics)
        cache: Cache
        if settings.redis is not None:
            cache = RedisCache(settings.redis, settings.cache_s, metrics)
        else:
            cache = MemoryCache(settings.cache_entries, settings.cache_s)
        fleet = _fleet(settings, model)
        service = cls(settings, engine, shelf, fleet, cache, metrics, files)
        _prepare(model.manifest, metrics)
        metrics.queue_limit.set(settings.queue)
        metrics.breaker.set_function(lambda: _BREAKER[breaker.state])
        await engine.start()
        service.ready = True
        return service

    async def stop(self) -> None:
        """Answer what waits, then let go of everything."""
        self.ready = False
        await self.engine.stop(self.settings.drain_s)
        await self.shelf.close()
        await self.cache.close()
        await self.fleet.close()
        self._files.cleanup()

    def refusal(self) -> Exception | None:
        """Return why no further diagnosis can be taken now, or None."""
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
            SpecError: It cannot be answered as it is.
            QueueFullError, BreakerOpenError, DeadlineError, StoppedError, EngineFaultError: It
                could be, but not now.
        """
        started = time.perf_counter()
        with _TRACER.start_as_current_span("read"):
            window = await self._window(request)
        version = self.engine.model.version
        key = cache_key(window, version)
        found = await self.cache.get(key)
        self.metrics.cache.labels("miss" if found is None else "hit").inc()
        if found is not None:
            timing = Timing(queue_ms=0, features_ms=0, network_ms=0, total_ms=_ms_since(started))
            answer = found.model_copy(update={"cached": True, "timing": timing})
        else:
            with _TRACER.start_as_current_span("engine"):
                answered = await self.engine.answer(window)
            model = answered.model
            found = diagnosis(window, answered.answer, model.manifest, model.version)
            self._count(window, answered, found)
            if model.version == version:
                await self.cache.put(key, found)
            answer = found.model_copy(update={"timing": _timing(answered, started)})
        if request.store:
            await self.fleet.keep(found)
        self._remember(answer, window)
        return answer

    async def _window(self, request: DiagnoseRequest) -> TelemetryWindow:
        window_s = self.engine.model.window_s
        machine = await self.fleet.get(request.equipment_id)
        given = await self.fleet.reference(machine)
        usable = given if given is not None and given.window_s == window_s else None
        use = await self._check(machine, usable)
        if given is not None and use is not None:
            check_length(given, window_s)
        check_use(use, request.equipment_id)
        return replace(await asked_window(self.fleet, request, machine, window_s), given=usable)

    async def _check(self, machine: Machine, given: GivenReference | None) -> ReferenceUse | None:
        try:
            return await self.engine.check(machine, given)
        except SpecError as error:
            raise SpecError(f"equipment_id: {error}") from None

    async def give_reference(self, machine: Machine, request: ReferenceRequest) -> ReferenceVerdict:
        """Keep what a machine was like when it was sound, for all windows to come.

        Raises:
            SpecError: A window cannot be read, nothing is observed in any, or there is no place to
                keep them.
            DeadlineError, EngineFaultError: As `Engine.check`.
        """
        window_s = self.engine.model.window_s
        windows = []
        for number, each in enumerate(request.windows):
            try:
                windows.append(await asked_window(self.fleet, each, machine, window_s))
            except SpecError as error:
                lines = (f"windows[{number}].{line}" for line in str(error).splitlines())
                raise SpecError("\n".join(lines)) from None
        given = GivenReference(machine, window_s, tuple(windows))
        use = await self._check(machine, given)
        if use not in (ReferenceUse.GIVEN, None):
            raise SpecError("windows: no sensor is observed in any of them")
        await self.fleet.save_reference(given)
        return ReferenceVerdict(
            equipment_id=machine.equipment.equipment_id,
            windows=len(windows),
            reference=use,
            silent=silent(given),
        )

    def _count(self, window: TelemetryWindow, answered: Answered, found: Diagnosis) -> None:
        stage = self.metrics.stage
        stage.labels("queue").observe(answered.queue_s)
        stage.labels("features").observe(answered.batch.features_s)
        stage.labels("network").observe(answered.batch.network_s)
        drift: list[float] = answered.answer.drift.tolist()
        self.metrics.drifted(zip(drift_names(window.machine), drift, strict=True))
        for score in scores(found):
            if score.outcome is None:
                self.metrics.value.labels(score.head).set(score.number)
            else:
                self.metrics.score.labels(score.head, score.outcome).observe(score.number)

    def _remember(self, answer: Diagnosis, window: TelemetryWindow) -> None:
        self.latest[answer.equipment_id] = Latest(answer, window)
        self.latest.move_to_end(answer.equipment_id)
        if len(self.latest) > _LATEST:
            self.latest.popitem(last=False)


def _located(settings: ServeSettings, folder: Path) -> Path:
    """Return where the bundle is; one of a registry is brought into `folder`."""
    if is_registered(settings.bundle):
        return fetch(settings.bundle, settings.registry_uri, folder)
    return Path(settings.bundle)


def _fleet(settings: ServeSettings, model: Model) -> Fleet:
    trained = {machine.equipment.equipment_id: machine for machine in model.manifest.machines}
    if settings.database is None:
        return LocalFleet(trained, settings.equipment)
    # Only whoever has a database needs what reads from one.
    from hydrascope.serving.database import DatabaseFleet
    from hydrascope.telemetry.timescale.settings import database_settings

    # Given up before the request's own deadline, and asked again by the next request.
    database = database_settings(
        dsn=settings.database,
        password_file=settings.database_password_file,
        pool_min=0,
        timeout_s=settings.deadline_s / 2,
        retry_for_s=0.0,
    )
    return DatabaseFleet(database, trained)


def _prepare(manifest: Manifest, metrics: Metrics) -> None:
    """Make what the first request would wait for."""
    for machine in manifest.machines:
        _ = machine.digest  # is kept
    for head in manifest.task.heads:
        for outcome in outcomes(head):
            metrics.score.labels(head.name, outcome)


def _timing(answered: Answered, started: float) -> Timing:
    return Timing(
        queue_ms=1000 * answered.queue_s,
        features_ms=1000 * answered.batch.features_s,
        network_ms=1000 * answered.batch.network_s,
        total_ms=_ms_since(started),
    )


def _ms_since(started: float) -> float:
    return 1000 * (time.perf_counter() - started)
