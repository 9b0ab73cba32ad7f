"""Calls from an event loop to another process; results come back in the same order."""

import asyncio
import pickle
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from typing import Any, cast

_LENGTH_BYTES = 8
"""Size of the prefix that holds a message's length."""


class ProcessEndedError(Exception):
    """The other process ended."""


class RpcClient(asyncio.Protocol):
    """Calls a process that runs `serve_calls` on the other end of a socket.

    Attributes:
        closed: Whether the other process has ended.
    """

    def __init__(self) -> None:
        self.closed = False
        self._pending: deque[asyncio.Future[Any]] = deque()
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def call(self, *arguments: Any) -> "asyncio.Future[Any]":
        """Send a call; return a future of its result, or of the exception it raised.

        Raises:
            ProcessEndedError: (in the future) The other process ended before it answered.
        """
        future = asyncio.get_running_loop().create_future()
        if self.closed:
            future.set_exception(ProcessEndedError())
        else:
            self._transport.write(_message(arguments))
            self._pending.append(future)
        return future

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's callback)."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Resolve the futures of all whole messages (asyncio's callback)."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES])
            if len(self._buffer) < end:
                return
            self._resolve(bytes(self._buffer[_LENGTH_BYTES:end]))
            del self._buffer[:end]

    def connection_lost(self, _: Exception | None) -> None:
        """Fail all pending calls (asyncio's callback)."""
        self.closed = True
        for future in self._pending:
            if not future.done():
                future.set_exception(ProcessEndedError())
        self._pending.clear()

    def _resolve(self, content: bytes) -> None:
        future = self._pending.popleft()
        if future.done():  # the caller was cancelled
            return
        try:
            result = pickle.loads(content)
        except Exception as error:  # noqa: BLE001 (raised where the call was made)
            result = error
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


def serve_calls(connection: socket.socket, handle: Callable[..., Any]) -> None:
    """Handle calls one after the other, until the client closes the connection.

    Args:
        connection: The other end of the client's.
        handle: Called with a call's arguments.
    """
    with suppress(EOFError, OSError), connection.makefile("rb") as calls:
        while True:
            arguments = pickle.loads(_read(calls))
            try:
                result = handle(*arguments)
            except Exception as error:  # noqa: BLE001 (raised where the call was made)
                result = ExceptionWithTraceback(error, error.__traceback__)
            connection.sendall(_message(result))


def _message(content: Any) -> bytes:
    pickled = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return len(pickled).to_bytes(_LENGTH_BYTES) + pickled


def _read(stream: BufferedReader) -> bytes:
    size = int.from_bytes(stream.read(_LENGTH_BYTES))
    content = stream.read(size)
    if not size or len(content) < size:
        raise EOFError
    return content
