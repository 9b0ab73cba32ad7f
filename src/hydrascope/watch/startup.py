"""The start of a worker: its parts, made from the settings."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from prometheus_client import start_http_server

from hydrascope.monitoring.alarms import AlarmRepository
from hydrascope.monitoring.delivery import check_channels
from hydrascope.monitoring.rules import read_rules
from hydrascope.monitoring.watches import WatchRepository
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.serving.equipment.database_store import DatabaseEquipmentStore
from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.settings import database_settings
from hydrascope.watch.alarms import AlarmJudge
from hydrascope.watch.metrics import WatchMetrics
from hydrascope.watch.model import WatchModel
from hydrascope.watch.planner import Planner
from hydrascope.watch.settings import WatchSettings
from hydrascope.watch.visit import Visitor
from hydrascope.watch.worker import Worker

_FRESH_POLLS = 3
"""Looks for new telemetry in which all workers have had a turn."""
_LEAST_FRESH_S = 60.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def start_worker(settings: WatchSettings, bundle: Bundle) -> AsyncIterator[Worker]:
    """Open what a worker needs; close it at the end.

    Raises:
        SpecError: A setting or a rule is not accepted.
    """
    metrics = WatchMetrics(
        settings.metrics_machines, max(_LEAST_FRESH_S, _FRESH_POLLS * settings.poll_s)
    )
    connection = database_settings(
        dsn=settings.database,
        password_file=settings.database_password_file,
        pool_min=0,
        pool_max=settings.concurrency + 2,
    )
    rules = read_rules(settings.rules)
    check_channels(rules)
    database, store = Database(connection), DatabaseEquipmentStore(connection, {})
    model = WatchModel(bundle, settings.device)
    try:
        planner = Planner(settings, model, store, WatchRepository(database), metrics)
        alarms = AlarmJudge(rules, model, AlarmRepository(database, rules))
        visitor = Visitor(settings, model, database, metrics, alarms)
        with _served(settings, metrics):
            manifest = model.manifest
            for line in rules.unread(head.name for head in manifest.task.heads):
                _log.warning("%s", line)
            _log.info(
                "watching %s with %s %s, windows of %g s",
                connection.place, manifest.task.name, model.version, manifest.window.window_s,
            )  # fmt: skip
            yield Worker(settings, planner, visitor, store, metrics, rules)
    finally:
        model.close()
        await store.close()
        await database.close()


@contextmanager
def _served(settings: WatchSettings, metrics: WatchMetrics) -> Iterator[None]:
    """Serve the metrics, where a port is given.

    Raises:
        SpecError: The address cannot be listened on.
    """
    if settings.metrics_port is None:
        yield
        return
    host, port = settings.metrics_host, settings.metrics_port
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise SpecError(
            f"metrics_port: {port} of {host} is not accepted; expected a free port of an address "
            f"of this machine, or 0 for any ({error.strerror or error})"
        ) from None
    _log.info("metrics on http://%s:%d/metrics", host, server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
