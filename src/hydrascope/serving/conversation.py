"""Questions to another process, asked from an event loop, and its answers in the same order."""

import asyncio
import pickle
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from typing import Any, cast

_HEAD = 8
"""Bytes before each message that say how many it has."""


class EndedError(Exception):
    """The other process ended."""


class Conversation(asyncio.Protocol):
    """The side that asks.

    Attributes:
        over: The other process has ended.
    """

    def __init__(self) -> None:
        self.over = False
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._read = bytearray()
        self._transport: asyncio.Transport

    def ask(self, *question: Any) -> "asyncio.Future[Any]":
        """Send a question; return what its answer will be, or the error that the answerer raised.

        Raises:
            EndedError: (of the answer) The other process ended before it answered.
        """
        future = asyncio.get_running_loop().create_future()
        if self.over:
            future.set_exception(EndedError())
        else:
            self._transport.write(_message(question))
            self._asked.append(future)
        return future

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio has it."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        self._read += data
        while len(self._read) >= _HEAD:
            end = _HEAD + int.from_bytes(self._read[:_HEAD])
            if len(self._read) < end:
                return
            self._answered(bytes(self._read[_HEAD:end]))
            del self._read[:end]

    def connection_lost(self, _: Exception | None) -> None:
        """As asyncio has it."""
        self.over = True
        for future in self._asked:
            if not future.done():
                future.set_exception(EndedError())
        self._asked.clear()

    def _answered(self, content: bytes) -> None:
        future = self._asked.popleft()
        if future.done():  # nobody waits for it any more
            return
        try:
            answer = pickle.loads(content)
        except Exception as error:  # noqa: BLE001 (raised where it was asked)
            answer = error
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def answer_questions(connection: socket.socket, answer: Callable[..., Any]) -> None:
    """Answer what comes, one after the other, until nobody asks any more.

    Args:
        connection: The other end of the asker's.
        answer: Called with a question's parts.
    """
    with suppress(EOFError, OSError), connection.makefile("rb") as questions:
        while True:
            question = pickle.loads(_read(questions))
            try:
                found = answer(*question)
            except Exception as error:  # noqa: BLE001 (raised where it was asked)
                found = ExceptionWithTraceback(error, error.__traceback__)
            connection.sendall(_message(found))


def _message(content: Any) -> bytes:
    pickled = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return len(pickled).to_bytes(_HEAD) + pickled


def _read(stream: BufferedReader) -> bytes:
    size = int.from_bytes(stream.read(_HEAD))
    content = stream.read(size)
    if not size or len(content) < size:
        raise EOFError
    return content
