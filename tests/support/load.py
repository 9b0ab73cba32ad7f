"""A client process that puts load on a service: `python -m tests.support.load LOAD_JSON`.

Open loop: requests are sent at the times of a Poisson process, whether or not answers came, and a
request's time counts from when it was due (no coordinated omission). Closed loop: so many
connections each send the next request when they have the answer.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cache

from tests.support.rig_requests import request_bodies
from tests.support.services import ROOT

CYCLES = 400


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        port: Of the service on this machine.
        path: Of the route.
        seconds: How long new requests are sent.
        rate: Requests a second (open loop), or 0: as fast as answers come (closed loop).
        connections: At most; in a closed loop exactly.
        seed: Of arrivals and contents.
    """

    port: int
    path: str
    seconds: float
    rate: float = 0.0
    connections: int = 64
    seed: int = 0


@dataclass
class Outcome:
    """What came back.

    Attributes:
        sent: Requests.
        statuses: Answers by status.
        broken: Requests without an answer, by what became of their connection.
        extra: Answers beyond one a request.
        no_retry_after: Answers 429 and 503 that do not say when to come again.
        seconds: From the first request to the last answer.
        latencies_s: Of the answers 200, in order of arrival.
    """

    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    extra: int = 0
    no_retry_after: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """Answers 200."""
        return self.statuses["200"]

    @property
    def lost(self) -> int:
        """Requests without an answer."""
        return self.broken.total()

    def quantile_s(self, share: float) -> float:
        """Return a quantile of the latencies; infinite without any."""
        ordered = sorted(self.latencies_s)
        return (
            ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")
        )


def send(load: Load) -> Outcome:
    """Put load on a service from this process, and return what came back."""
    return asyncio.run(_Client(load).run())


def put(load: Load, timeout_s: float = 60.0) -> Outcome:
    """Put load on a service from a process of its own, and return what came back."""
    command = [sys.executable, "-m", "tests.support.load", json.dumps(asdict(load))]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=load.seconds + timeout_s,
        cwd=ROOT,
    )
    content = json.loads(done.stdout)
    counted = {name: Counter(content[name]) for name in ("statuses", "broken")}
    return Outcome(**{**content, **counted})


class _Connection(asyncio.Protocol):
    """One connection with one request at a time; counts what comes unasked."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._buffer = b""
        self._waiting: asyncio.Future[tuple[str, bytes]] | None = None
        self.closed = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            if self._waiting is None or self._waiting.done():
                self._outcome.extra += 1
            else:
                self._waiting.set_result((head[9:12].decode(), head))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionError())

    async def ask(self, request: bytes) -> tuple[str, bytes]:
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting


class _Client:
    def __init__(self, load: Load) -> None:
        self.load, self.outcome = load, Outcome()
        self.random = random.Random(load.seed)
        self.requests = _requests(load.path)
        self.idle: list[_Connection] = []
        self.room = asyncio.Semaphore(load.connections)

    async def run(self) -> Outcome:
        started = time.perf_counter()
        until = started + self.load.seconds
        if self.load.rate:
            await self._open_loop(until)
        else:
            closed = (self._closed_loop(until) for _ in range(self.load.connections))
            await asyncio.gather(*closed)
        self.outcome.seconds = time.perf_counter() - started
        return self.outcome

    async def _closed_loop(self, until: float) -> None:
        while (now := time.perf_counter()) < until:
            await self._one(now)

    async def _open_loop(self, until: float) -> None:
        due, tasks = time.perf_counter(), set()
        while (due := due + self.random.expovariate(self.load.rate)) < until:
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            task = asyncio.create_task(self._one(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self, due: float) -> None:
        async with self.room:
            self.outcome.sent += 1
            try:
                connection = await self._connection()
                status, head = await connection.ask(self.random.choice(self.requests))
            except OSError as error:
                self.outcome.broken[type(error).__name__] += 1
                return
            self.outcome.statuses[status] += 1
            if status == "200":
                self.outcome.latencies_s.append(time.perf_counter() - due)
            elif status in ("429", "503") and b"retry-after:" not in head:
                self.outcome.no_retry_after += 1
            if not connection.closed:
                self.idle.append(connection)

    async def _connection(self) -> _Connection:
        while self.idle:
            connection = self.idle.pop()
            if not connection.closed:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(
            lambda: _Connection(self.outcome), "127.0.0.1", self.load.port
        )
        return made


@cache
def _requests(path: str) -> list[bytes]:
    head = "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return [
        f"{head.format(path)}content-length: {len(body)}\r\n\r\n".encode() + body
        for body in request_bodies(range(CYCLES), digits=4)
    ]


if __name__ == "__main__":
    print(json.dumps(vars(send(Load(**json.loads(sys.argv[1]))))))
