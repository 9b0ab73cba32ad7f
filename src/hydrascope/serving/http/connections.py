"""Connections whose requests must arrive: header fields of bounded size, within bounded time."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER = 64 * 1024
"""The most bytes of a request before its body; uvicorn has no limit with this parser."""
HEADER_S = 20.0
"""Longest time from the first byte of a request, or from the start of a connection, until then."""


class BoundedConnection(HttpToolsProtocol):
    """Answers 431 or 408 and closes if a client sends too many header bytes, or too slowly."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first request."""
        super().connection_made(transport)
        self._size, self._within_header, self._header_ended = 0, True, False
        self._timer: asyncio.TimerHandle | None = None
        self._limit_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Await nothing any more."""
        self._unlimit_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrives, and count what belongs to no body."""
        before, self._header_ended = self._within_header, False
        super().data_received(data)
        if self._header_ended:
            return
        if self._within_header and before:
            self._limit_time()
            self._size += len(data)
            if self._size > MAX_HEADER:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif (
            not before and self.cycle.response_complete
        ):  # what is left of a body that nobody wants
            self._limit_time()

    def on_headers_complete(self) -> None:
        """Let the body, if there is one, follow."""
        self._size, self._within_header, self._header_ended = 0, False, True
        self._unlimit_time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Let another request follow."""
        self._within_header = True
        self._unlimit_time()
        super().on_message_complete()

    def _limit_time(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEADER_S, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _unlimit_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        if self._within_header:  # else the request has its answer
            lines = (f"HTTP/1.1 {status.value} {status.phrase}", "connection: close")
            self.transport.write("\r\n".join((*lines, "content-length: 0", "", "")).encode())
        self.transport.close()
