"""A loopback proxy before a server that can stop forwarding, as a broken network does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_PIECE = 2**14


class StallingProxy:
    """Forwards all connections until it is told to stall, or has forwarded so many bytes."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flowing = threading.Event()
        self._flowing.set()
        self.stalled = threading.Event()
        self._left: int | None = None
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def dsn(self) -> str:
        port = self._listener.getsockname()[1]
        user = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    def stall(self, after_bytes: int = 0) -> None:
        """Stop after so many bytes more from the server."""
        self._left = after_bytes
        if not after_bytes:
            self._stop()

    def resume(self) -> None:
        self._left = None
        self.stalled.clear()
        self._flowing.set()

    def close(self) -> None:
        self._flowing.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _stop(self) -> None:
        self._flowing.clear()
        self.stalled.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._parts.hostname, self._parts.port))
                self._sockets += [client, server]
                for ends, counted in (((client, server), False), ((server, client), True)):
                    threading.Thread(
                        target=self._forward, args=(*ends, counted), daemon=True
                    ).start()

    def _forward(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                self._flowing.wait()
                target.sendall(piece)
                if counted and self._left is not None:
                    self._left -= len(piece)
                    if self._left <= 0:
                        self._stop()
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def stalling_proxy(dsn: str) -> Iterator[StallingProxy]:
    proxy = StallingProxy(dsn)
    try:
        yield proxy
    finally:
        proxy.close()
