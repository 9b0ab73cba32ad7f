"""A model in a process of its own.

Python runs one thread at a time. Beside what reads requests and writes answers, a model in the same
process waits for its turn at every operation, and its batches take twice as long. What reads and
writes does not need torch then, which takes seconds to import and 200 MB.
"""

import asyncio
import logging
import multiprocessing
import signal
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from multiprocessing.util import Finalize
from pathlib import Path

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.conversation import Conversation, EndedError, answer_questions
from hydrascope.serving.logs import configure
from hydrascope.serving.packing import Packed, packed
from hydrascope.serving.windows import (
    GivenReference,
    ReferenceUse,
    Subject,
    TelemetryWindow,
    Timings,
    WindowAnswer,
)

_LOG = logging.getLogger(__name__)
_ENDS_IN_S = 10.0


class ModelProcess:
    """A bundle that answers in a process of its own, which ends with this one.

    Should it end before, what it was asked fails, and the next batch finds it started anew. Made by
    `open`; lives in one event loop.
    """

    at_once = 2
    """The next batch is there when one is done, however busy this process is."""

    manifest: Manifest
    version: str

    def __init__(self, bundle: Path, verify_key: Path | None, device: str, threads: int) -> None:
        self._opened = (bundle, verify_key, device, threads)
        self._warmth: tuple[list[int], list[Machine]] = ([], [])
        self._restart: asyncio.Task[None] | None = None
        self._accepted: dict[str, tuple[Subject, ReferenceUse | None]] = {}
        self.device_memory_bytes = 0

    @classmethod
    async def open(
        cls, bundle: Path, verify_key: Path | None = None, device: str = "cpu", threads: int = 1
    ) -> "ModelProcess":
        """Start a process and open a bundle in it.

        Args:
            bundle: Folder or archive; must stay where it is.
            verify_key: Public key that it must be signed with.
            device: `cpu` or `cuda`.
            threads: Of torch.

        Raises:
            SpecError: As `read_bundle`.
        """
        model = cls(bundle, verify_key, device, threads)
        await model._start()
        try:
            model.manifest, model.version = await model._conversation.ask("open", *model._opened)
        except Exception:
            await model.close()
            raise
        return model

    @property
    def window_s(self) -> float:
        """Length of the windows that it takes."""
        return self.manifest.window.window_s

    async def check(
        self, machine: Machine, given: GivenReference | None = None
    ) -> ReferenceUse | None:
        """Refuse a machine that the network cannot read, as `ServedModel.check`.

        Raises:
            EndedError: As `answer`.
        """
        equipment_id = machine.equipment.equipment_id
        known = self._accepted.get(equipment_id)
        if known is not None and known[0][0] is machine and known[0][1] is given:
            return known[1]
        await self._be_there()
        use: ReferenceUse | None = await self._conversation.ask("check", machine, given)
        self._accepted[equipment_id] = ((machine, given), use)
        return use

    async def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine]) -> None:
        """Warm it up, as `ServedModel.warm_up`."""
        self._warmth = (list(sizes), list(machines))
        await self._warm_up()

    async def answer(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[WindowAnswer], Timings]:
        """Answer some windows, as `ServedModel.answer`.

        Raises:
            EndedError: The process ended before it answered, as when memory runs out, or did not
                start anew.
        """
        await self._be_there()
        answers, timings, self.device_memory_bytes = await self._conversation.ask(
            "answer", *self._sendable(windows)
        )
        return answers, timings

    async def close(self) -> None:
        """End the process."""
        if self._restart is not None:
            await asyncio.wait([self._restart], timeout=_ENDS_IN_S)
        await self._end()

    async def _be_there(self) -> None:
        """Wait until a process can be asked; whoever gives up waiting does not end its start."""
        if self._restart is None and self._over:
            self._restart = asyncio.create_task(self._start_again())
            self._restart.add_done_callback(self._started_again)
        if self._restart is not None:
            await asyncio.shield(self._restart)

    def _started_again(self, _: "asyncio.Task[None]") -> None:
        self._restart = None

    @property
    def _over(self) -> bool:
        return self._conversation.over or not self._process.is_alive()

    def _sendable(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[Subject | str], list[tuple[int, datetime, list[Packed]]]]:
        """Return the windows with each machine once, or its id where it is known there."""
        signals = [packed(each.signals) for each in windows]
        subjects: list[Subject | str] = []
        place: dict[tuple[int, int], int] = {}
        for window in windows:
            if _identity(window) in place:
                continue
            equipment_id = window.machine.equipment.equipment_id
            sent = self._sent.get(equipment_id, (None, None))
            known = sent[0] is window.machine and sent[1] is window.given
            place[_identity(window)] = len(subjects)
            subject = (window.machine, window.given)
            subjects.append(equipment_id if known else subject)
            self._sent[equipment_id] = subject
        return subjects, [
            (place[_identity(each)], each.start, own)
            for each, own in zip(windows, signals, strict=True)
        ]

    async def _warm_up(self) -> None:
        sizes, machines = self._warmth
        uses = await self._conversation.ask("warm_up", sizes, machines)
        for machine, use in zip(machines, uses, strict=True):
            equipment_id, subject = machine.equipment.equipment_id, (machine, None)
            self._accepted[equipment_id] = (subject, use)
            self._sent[equipment_id] = subject

    async def _start(self) -> None:
        self._sent: dict[str, Subject] = {}
        here, there = socket.socketpair()
        # Without this end of the connection the process ends. The event loop has its own handle of
        # it, which notices.
        self._let_go = Finalize(self, _hang_up, (here.dup(),), exitpriority=10)
        level = logging.getLevelName(logging.getLogger().level)
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(there, level), name="model", daemon=True
        )
        await asyncio.to_thread(process.start)
        self._process = process
        there.close()
        loop = asyncio.get_running_loop()
        _, self._conversation = await loop.create_connection(Conversation, sock=here)

    async def _end(self) -> None:
        self._let_go()
        await asyncio.to_thread(self._process.join, _ENDS_IN_S)

    async def _start_again(self) -> None:
        await self._end()
        _LOG.error("the model's process ended (%s); it starts anew", self._process.exitcode)
        await self._start()
        try:
            _, version = await self._conversation.ask("open", *self._opened)
            if version != self.version:
                raise SpecError(f"bundle: another one is at {self._opened[0]} now")
            await self._warm_up()
        except Exception as error:  # nothing that was asked is at fault
            await self._end()
            raise EndedError(f"the model's process did not start anew: {error}") from error


def _identity(window: TelemetryWindow) -> tuple[int, int]:
    return id(window.machine), id(window.given)


def _hang_up(connection: socket.socket) -> None:
    with connection, suppress(OSError):  # where the process has ended, nobody is there to be told
        connection.shutdown(socket.SHUT_RDWR)


def _work(connection: socket.socket, log_level: str) -> None:
    """Answer until nobody asks any more."""
    # Whoever stops the service may tell all its processes; what was accepted is answered still.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    configure(log_level)
    from hydrascope.serving.model_worker import ModelWorker  # which needs torch, and only there

    answer_questions(connection, ModelWorker())
