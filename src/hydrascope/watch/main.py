"""The command: read the settings, load the bundle, work until a signal ends the process."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hydrascope.console import print_anything
from hydrascope.schemas.errors import ServiceError, SpecError
from hydrascope.watch.settings import WatchSettings

COMMAND = "hydrascope watch"
FAILED, USAGE_ERROR = 1, 2
_TOLD_BY_US = ("procrastinate", "psycopg")
"""Loggers that tell of what a worker tells in one line."""


def main(arguments: Sequence[str]) -> None:
    """Watch until a signal ends the process; a wrong setting is one line and exit code 2.

    Args:
        arguments: As in `bundle=bundles/rig database=postgresql://…`; `--once` is `once=true`.
    """
    print_anything()
    if {"--help", "-h"} & set(arguments):
        usage = f"Diagnose telemetry as it comes:  {COMMAND} bundle=PATH database=URL [key=value] …"
        print(WatchSettings.help_text(usage))
        return
    given = ["once=true" if each == "--once" else each for each in arguments]
    try:
        failed = asyncio.run(_watch(WatchSettings.read(given, COMMAND)))
    except (SpecError, ServiceError) as error:
        if os.environ.get("HYDRASCOPE_TRACEBACK") == "1":
            raise
        print(error, file=sys.stderr)
        sys.exit(USAGE_ERROR)
    if failed:
        sys.exit(FAILED)


async def _watch(settings: WatchSettings) -> bool:
    """Work; return whether a machine failed that was to be diagnosed once."""
    # What computes takes seconds to import, which a wrong setting need not wait for.
    import torch

    from hydrascope.serving.observability.logs import configure_logging
    from hydrascope.watch.bundles import Bundles
    from hydrascope.watch.startup import start_worker
    from hydrascope.watch.worker import Worker

    configure_logging(settings.log_level)
    if settings.log_level != "debug":
        for name in _TOLD_BY_US:
            logging.getLogger(name).setLevel(logging.CRITICAL)
    torch.set_num_threads(settings.threads)

    ended, running = asyncio.Event(), list[Worker]()

    def end() -> None:
        ended.set()
        for worker in running:
            worker.stop()

    with TemporaryDirectory(prefix="hydrascope-bundle-") as folder:
        bundles = Bundles(settings, Path(folder))
        while True:
            async with start_worker(settings, bundles.present) as worker:
                running[:] = [worker]
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, end)
                if ended.is_set():  # a signal came while the alias' next bundle was started
                    return False
                async with bundles.followed(worker.stop):
                    await worker.run()
                if settings.once or ended.is_set() or not bundles.has_moved:
                    return settings.once and bool(worker.failed)
