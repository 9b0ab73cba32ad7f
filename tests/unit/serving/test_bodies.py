"""Bodies of requests are bounded: each in size and time, all of them in size."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive

from hydrascope.serving.http.bodies import Bodies, Bounds
from hydrascope.serving.http.problems import ProblemError


def sent(*parts: bytes) -> Receive:
    """Return a `receive` of these parts; then nothing comes for ever."""
    left: Iterator[bytes] = iter(parts)

    async def receive() -> Message:
        part = next(left, None)
        if part is None:
            await asyncio.Event().wait()
        more = part != parts[-1]
        return {"type": "http.request", "body": part, "more_body": more}

    return receive


async def read(bodies: Bodies, *parts: bytes) -> bytes:
    with bodies.bounded(sent(*parts)) as receive:
        whole = b""
        while True:
            message = await receive()
            whole += message["body"]
            if not message["more_body"]:
                return whole


def refused(bodies: Bodies, *parts: bytes) -> tuple[int, str]:
    with pytest.raises(ProblemError) as problem:
        asyncio.run(read(bodies, *parts))
    return problem.value.status_code, str(problem.value.detail)


def test_a_body_within_all_bounds_arrives_as_it_was() -> None:
    bodies = Bodies(Bounds(one=10, all=15, time_s=5.0))
    for _ in range(3):  # what was read is not held any more
        assert asyncio.run(read(bodies, b"12345", b"6789", b"0")) == b"1234567890"


def test_a_body_that_is_too_large_is_a_413() -> None:
    bodies = Bodies(Bounds(one=10, all=100, time_s=5.0))
    assert refused(bodies, b"12345", b"678901", b"") == (413, "A request may have 10 bytes.")


def test_a_body_that_does_not_arrive_is_a_408() -> None:
    bodies = Bodies(Bounds(one=10, all=100, time_s=0.05))

    async def stalled() -> None:
        with bodies.bounded(sent()) as receive:
            await receive()

    with pytest.raises(ProblemError) as problem:
        asyncio.run(stalled())
    assert problem.value.status_code == 408
    assert problem.value.headers == {"Connection": "close"}


def test_all_bodies_together_have_a_bound_and_a_later_one_is_read() -> None:
    bodies = Bodies(Bounds(one=10, all=15, time_s=5.0))

    async def three() -> list[bytes | BaseException]:
        first, holding = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            with bodies.bounded(sent(b"1234567890", b"")) as receive:
                await receive()
                holding.set()
                await first.wait()

        held = asyncio.create_task(hold())
        await holding.wait()
        found: list[bytes | BaseException] = []
        found += await asyncio.gather(read(bodies, b"123456", b""), return_exceptions=True)
        first.set()
        await held
        found += await asyncio.gather(read(bodies, b"123456", b""), return_exceptions=True)
        return found

    full, later = asyncio.run(three())
    assert isinstance(full, ProblemError)
    assert full.status_code == 503
    assert full.headers == {"Retry-After": "1"}
    assert later == b"123456"
