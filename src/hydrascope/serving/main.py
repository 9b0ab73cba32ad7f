"""The command: read the settings, start the service and its HTTP server."""

import errno
import gc
import os
import socket
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence

from hydrascope.console import print_anything
from hydrascope.schemas.errors import SpecError
from hydrascope.serving.settings import ServeSettings, read_settings

USAGE_ERROR = 2
_KEEP_ALIVE_S = 75
"""Time that an idle connection stays open. Clients and load balancers close theirs earlier, usually
after 60 s: a request sent while the server closes the connection would be lost."""


def main(arguments: Sequence[str], command: str | None = None) -> None:
    """Serve until a signal ends the process; a wrong setting is one line and exit code 2.

    Args:
        arguments: As in `bundle=bundles/rig port=8000`.
        command: The command before them, if not the script.
    """
    print_anything()
    if {"--help", "-h"} & set(arguments):
        usage = f"Answer over HTTP:  {command or 'python serve.py'} bundle=PATH [key=value] …"
        print(ServeSettings.help_text(usage))
        return
    try:
        settings = read_settings(arguments, command or "serve.py")
        _check_address(settings.host, settings.port, command or "serve.py")
        _serve(settings)
    except SpecError as error:
        if os.environ.get("HYDRASCOPE_TRACEBACK") == "1":
            raise
        print(error, file=sys.stderr)
        sys.exit(USAGE_ERROR)


def _check_address(host: str, port: int, source: str) -> None:
    """Refuse an address that cannot be listened on, before the model is loaded.

    Raises:
        SpecError: Naming host or port, and the reason.
    """
    try:
        for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            socket.create_server(place[:2], family=family).close()
    except OSError as error:
        busy = error.errno in (errno.EADDRINUSE, errno.EACCES)
        field = f"port: {port}" if busy else f"host: {host!r}"
        reason, _, _ = str(error.strerror).partition(" (while")
        wanted = "a free port, or 0 for any" if busy else "an address of this machine"
        raise SpecError(
            f"{field} is not accepted; expected {wanted} ({reason})", source=source
        ) from None


def _serve(settings: ServeSettings) -> None:
    import asyncio

    import uvicorn

    from hydrascope.serving.http.app import create_app
    from hydrascope.serving.http.connections import BoundedConnection
    from hydrascope.serving.observability.logs import configure_logging
    from hydrascope.serving.observability.metrics import Metrics
    from hydrascope.serving.observability.tracing import configure_tracing
    from hydrascope.serving.startup import start_service

    configure_logging(settings.log_level)
    configure_tracing()

    async def run() -> None:
        app = create_app(await start_service(settings, Metrics()))
        gc.collect()
        gc.freeze()  # permanent objects: scanning them again would delay every request
        config = uvicorn.Config(
            app,
            http=BoundedConnection,
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
    """Return uvloop's, or None for asyncio's where uvloop is not installed."""
    try:
        from uvloop import new_event_loop
    except ModuleNotFoundError:
        return None
    return new_event_loop
