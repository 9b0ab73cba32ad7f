"""Questions and answers between an event loop and someone who answers elsewhere."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from hydrascope.serving.model_process.rpc import ProcessEndedError, RpcClient, serve_calls


class PickyError(Exception):
    """Cannot be made anew from its message alone, as unpickling would."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def reply(kind: str, content: Any) -> Any:
    match kind:
        case "echo":
            return content
        case "fail":
            raise ValueError(content)
        case "picky":
            raise PickyError(content, "!")
    raise SystemExit


def talk(work: Callable[[RpcClient], Awaitable[Any]]) -> Any:
    """Run `work` in client with `reply` in a thread, and see that the thread ends after."""
    here, there = socket.socketpair()

    def answer() -> None:
        with there, suppress(SystemExit):
            serve_calls(there, reply)

    thread = threading.Thread(target=answer)
    thread.start()

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_connection(RpcClient, sock=here)
        try:
            return await work(client)
        finally:
            transport.close()

    try:
        return asyncio.run(run())
    finally:
        thread.join(10)
        assert not thread.is_alive()


async def vanish(client: RpcClient) -> list[Any]:
    first = await client.call("echo", 1)
    asked = [client.call(*each) for each in (("vanish", 0), ("echo", 2))]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    later = await asyncio.gather(client.call("echo", 3), return_exceptions=True)
    return [first, *answers, *later]


def test_many_large_questions_asked_at_once_get_their_own_answers_in_order() -> None:
    contents = [bytes([number]) * size for number, size in enumerate([1, 3_000_000, 0, 70_000, 9])]

    async def work(client: RpcClient) -> list[bytes]:
        return await asyncio.gather(*(client.call("echo", each) for each in contents))

    assert talk(work) == contents


def test_an_error_is_raised_where_it_was_asked_even_one_that_cannot_be_made_anew() -> None:
    async def work(client: RpcClient) -> list[Any]:
        questions = (("fail", "why"), ("picky", "no"), ("echo", "on"))
        asked = [client.call(*each) for each in questions]
        return await asyncio.gather(*asked, return_exceptions=True)

    failed, picky, answered = talk(work)
    assert isinstance(failed, ValueError)
    assert "in reply" in str(failed.__cause__)
    assert isinstance(picky, TypeError)
    assert answered == "on"


def test_who_gives_up_waiting_leaves_the_others_their_answers() -> None:
    async def work(client: RpcClient) -> str:
        client.call("echo", "given up").cancel()
        return await client.call("echo", "waited for")

    assert talk(work) == "waited for"


def test_when_the_other_side_ends_every_question_fails_then_and_later() -> None:
    answers = talk(vanish)
    assert answers[0] == 1
    assert [type(each) for each in answers[1:]] == [ProcessEndedError] * 3
