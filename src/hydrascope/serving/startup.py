"""The start of a service: its parts, made from the settings."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hydrascope.packaging.following import locate
from hydrascope.schemas.machine import Machine
from hydrascope.serving.access.api_keys import ApiKeys
from hydrascope.serving.access.rate_limiter import RateLimiter
from hydrascope.serving.diagnosis.cache import open_cache
from hydrascope.serving.diagnosis.scores import prepare_series
from hydrascope.serving.engine.breaker import BreakerState, CircuitBreaker
from hydrascope.serving.engine.engine import Engine, EngineConfig
from hydrascope.serving.engine.model_store import ModelStore, warm_up
from hydrascope.serving.equipment.file_store import FileEquipmentStore
from hydrascope.serving.equipment.store import EquipmentStore
from hydrascope.serving.model_process.process import ModelProcess
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.service import Service
from hydrascope.serving.settings import ServeSettings

if TYPE_CHECKING:
    from hydrascope.serving.monitor import Monitor
    from hydrascope.telemetry.timescale.settings import DatabaseSettings

_BREAKER_VALUES = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}


async def start_service(settings: ServeSettings, metrics: Metrics) -> Service:
    """Load the bundle, warm it up, open the stores and begin to answer.

    Raises:
        SpecError: The bundle, or another file that the settings name, is not valid.
    """
    open_model = partial(
        ModelProcess.open,
        verify_key=settings.verify_key,
        device=settings.device,
        threads=settings.threads,
    )
    bundle_folder = TemporaryDirectory(prefix="hydrascope-bundle-")
    folder = Path(bundle_folder.name)
    bundle, followed = await asyncio.to_thread(
        locate, settings.bundle, settings.registry_uri, folder, settings.follow_s
    )
    model = await open_model(bundle)
    machines = {each.equipment.equipment_id: each for each in model.manifest.machines}
    breaker = CircuitBreaker(
        settings.breaker_failures, settings.breaker_open_s, settings.breaker_probes
    )
    config = EngineConfig(
        settings.max_batch, settings.max_wait_ms / 1000, settings.queue, settings.deadline_s
    )
    engine = Engine(model, config, breaker, metrics)
    await warm_up(model, settings.max_batch)
    database = _database_settings(settings)
    service = Service(
        settings=settings,
        metrics=metrics,
        api_keys=ApiKeys(settings.keys),
        rate_limiter=RateLimiter(settings.rate_per_s, settings.burst),
        engine=engine,
        models=ModelStore(engine, settings.models, settings.verify_key, open_model, metrics),
        equipment=_open_equipment(database, machines, settings.equipment),
        cache=open_cache(settings, metrics),
        bundle_folder=bundle_folder,
        monitor=_open_monitor(database),
    )
    for machine in machines.values():
        _ = machine.digest  # computed now, not by the first request
    prepare_series(model.manifest, metrics)
    metrics.queue_limit.set(settings.queue)
    metrics.breaker.set_function(lambda: _BREAKER_VALUES[breaker.state])
    await engine.start()
    if followed is not None and settings.follow_s is not None:
        service.follow(followed, settings.follow_s)
    return service


def _database_settings(settings: ServeSettings) -> "DatabaseSettings | None":
    if settings.database is None:
        return None
    # Imported only with a database: its dependencies are an extra.
    from hydrascope.telemetry.timescale.settings import database_settings

    # The timeout ends before the request's deadline; the next request tries again.
    return database_settings(
        dsn=settings.database,
        password_file=settings.database_password_file,
        pool_min=0,
        timeout_s=settings.deadline_s / 2,
        retry_for_s=0.0,
    )


def _open_equipment(
    database: "DatabaseSettings | None", machines: Mapping[str, Machine], folder: Path | None
) -> EquipmentStore:
    if database is None:
        return FileEquipmentStore(machines, folder)
    from hydrascope.serving.equipment.database_store import DatabaseEquipmentStore

    return DatabaseEquipmentStore(database, machines)


def _open_monitor(database: "DatabaseSettings | None") -> "Monitor | None":
    if database is None:
        return None
    from hydrascope.serving.monitor import Monitor

    return Monitor.open(database)
