"""From a command line to a service that answers."""

import gc
import os
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence

from hydrascope.console import print_anything
from hydrascope.schemas.errors import SpecError
from hydrascope.serving.settings import ServeSettings, read_settings, settings_help

USAGE_ERROR = 2
_KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than clients and load balancers (usually 60 s)
keep theirs, because a request on its way to a connection that we close just then is lost."""


def main(arguments: Sequence[str], command: str | None = None) -> None:
    """Serve until told to stop; what a user got wrong is one line and exit code 2.

    Args:
        arguments: As in `bundle=bundles/rig port=8000`.
        command: What was typed before them, if not the script.
    """
    print_anything()
    if {"--help", "-h"} & set(arguments):
        print(settings_help(command or "python serve.py"))
        return
    try:
        settings = read_settings(arguments, command or "serve.py")
        _serve(settings)
    except SpecError as error:
        if os.environ.get("HYDRASCOPE_TRACEBACK") == "1":
            raise
        print(error, file=sys.stderr)
        sys.exit(USAGE_ERROR)


def _serve(settings: ServeSettings) -> None:
    import asyncio

    import uvicorn

    from hydrascope.serving.app import create_app
    from hydrascope.serving.logs import configure
    from hydrascope.serving.metrics import Metrics
    from hydrascope.serving.service import Service
    from hydrascope.serving.tracing import configure_tracing

    configure(settings.log_level)
    configure_tracing()

    async def run() -> None:
        service = await Service.start(settings, Metrics())
        app = create_app(service)
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again stops every request
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=round(settings.drain_s),
            timeout_keep_alive=_KEEP_ALIVE_S,
            backlog=2048,
        )
        await uvicorn.Server(config).serve()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run())


def _loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """Return uvloop's, or None for asyncio's own where there is no uvloop."""
    try:
        from uvloop import new_event_loop
    except ModuleNotFoundError:
        return None
    return new_event_loop
