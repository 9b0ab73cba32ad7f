"""Connections of clients that send too much before a body, or too slowly, end."""

import asyncio
import threading
import time
from collections.abc import Iterator
from socket import create_connection, socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from hydrascope.serving.http import connections
from hydrascope.serving.http.connections import MAX_HEADER, BoundedConnection

PATIENCE_S = 0.5


async def refuses_first(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer before the body has arrived, as a service does that refuses it."""
    if scope["path"] == "/read":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connections, "HEADER_S", PATIENCE_S)
    config = uvicorn.Config(
        refuses_first, http=BoundedConnection, port=0, lifespan="off", log_level="critical"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def connect(port: int) -> socket:
    return create_connection(("127.0.0.1", port), timeout=10)


def until_closed(client: socket) -> bytes:
    """Return all that is answered; a reset is an end, too. One that stays open times out."""
    answer = b""
    try:
        while part := client.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def test_a_connection_without_a_request_ends(port: int) -> None:
    with connect(port) as client:
        start = time.monotonic()
        answer = until_closed(client)
    assert PATIENCE_S * 0.9 < time.monotonic() - start < PATIENCE_S + 5
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(("begun", "drop"), [(b"", b"\r\n"), (b"GET / HTTP/1.1\r\nx: ", b"y")])
def test_a_header_that_arrives_drop_by_drop_ends(port: int, begun: bytes, drop: bytes) -> None:
    with connect(port) as client:
        client.sendall(begun)
        client.settimeout(0.05)
        answer, end = b"", time.monotonic() + 10
        while b"408" not in answer and time.monotonic() < end:
            try:
                client.sendall(drop)
                answer += client.recv(4096)
            except TimeoutError:
                pass
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "flood",
    [
        b"GET / HTTP/1.1\r\nx: " + b"a" * 32 * MAX_HEADER,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * MAX_HEADER,
        b"GET /" + b"a" * 32 * MAX_HEADER,
    ],
    ids=["one field", "many fields", "path"],
)
def test_a_flood_of_header_fields_is_refused(port: int, flood: bytes) -> None:
    with connect(port) as client:
        try:
            client.sendall(flood)
            answer = until_closed(client)
        except (BrokenPipeError, ConnectionResetError):
            return  # closed while we sent
    assert not answer or answer.startswith(b"HTTP/1.1 431 ")  # a reset can overtake the answer


def test_requests_one_after_the_other_in_one_connection_are_answered(port: int) -> None:
    request = b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n" + b"b" * 100_000
    with connect(port) as client:
        for _ in range(5):
            client.sendall(request)
            answer = client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 ")
            while b"ok" not in answer:
                answer += client.recv(4096)
        # Many at once are no large header.
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 4000)
        answer = b""
        while answer.count(b"HTTP/1.1 200 ") < 4000:
            answer += client.recv(65536)


def test_what_is_left_of_a_refused_body_may_not_take_for_ever(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nb")
        client.settimeout(0.05)
        answer, end, closed = b"", time.monotonic() + 10, False
        while not closed and time.monotonic() < end:
            try:
                client.sendall(b"b")
                part = client.recv(4096)
                answer, closed = answer + part, not part
            except TimeoutError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                closed = True
    assert closed
    assert answer.count(b"HTTP/1.1 ") == 1
