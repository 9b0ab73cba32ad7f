"""A model in a process of its own.

Python runs one thread at a time. Beside what reads requests and writes answers, a model in the same
process waits for its turn at every operation, and its batches take twice as long.
"""

import asyncio
import gc
import logging
import multiprocessing
import signal
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hydrascope.graphs.layout import GraphLayout
from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.serving.conversation import Conversation, answer_questions
from hydrascope.serving.logs import configure
from hydrascope.serving.model import ServedModel
from hydrascope.serving.windows import TelemetryWindow, Timings, WindowAnswer

_LOG = logging.getLogger(__name__)
_ENDS_IN_S = 10.0
_Row = tuple[int, datetime, list[tuple[str, float, bytes]]]
"""A window: the place of its machine among those sent with it, its start, its signals: their names,
rates and samples (float32; as bytes they are packed and unpacked in a fifth of arrays' time)."""


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
        self._starting = asyncio.Lock()
        self._accepted: dict[str, Machine] = {}
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

    def check(self, machine: Machine) -> None:
        """Refuse a machine that the network cannot read, as `ServedModel.check`."""
        equipment_id = machine.equipment.equipment_id
        if self._accepted.get(equipment_id) is not machine:
            GraphLayout.of(machine.topology, self.manifest.input_spec, self.manifest.task.heads)
            self._accepted[equipment_id] = machine

    async def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine]) -> None:
        """Warm it up, as `ServedModel.warm_up`."""
        self._warmth = (list(sizes), list(machines))
        await self._warm_up()

    async def answer(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[WindowAnswer], Timings]:
        """Answer some windows, as `ServedModel.answer`.

        Raises:
            EndedError: The process ended before it answered, as when memory runs out.
        """
        if self._over or self._starting.locked():  # a new process may hold another bundle
            async with self._starting:
                if self._over:
                    await self._start_again()
        answers, timings, self.device_memory_bytes = await self._conversation.ask(
            "answer", *self._sendable(windows)
        )
        return answers, timings

    async def close(self) -> None:
        """End the process."""
        self._let_go()
        await asyncio.to_thread(self._process.join, _ENDS_IN_S)

    @property
    def _over(self) -> bool:
        return self._conversation.over or not self._process.is_alive()

    def _sendable(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[Machine | str], list[_Row]]:
        """Return the windows with each machine once, or its id where it is known there."""
        packed = [_packed(each.signals) for each in windows]
        machines: list[Machine | str] = []
        place: dict[int, int] = {}
        for machine in (window.machine for window in windows):
            if id(machine) in place:
                continue
            equipment_id = machine.equipment.equipment_id
            known = self._sent.get(equipment_id) is machine
            place[id(machine)] = len(machines)
            machines.append(equipment_id if known else machine)
            self._sent[equipment_id] = machine
        return machines, [
            (place[id(each.machine)], each.start, signals)
            for each, signals in zip(windows, packed, strict=True)
        ]

    async def _warm_up(self) -> None:
        sizes, machines = self._warmth
        await self._conversation.ask("warm_up", sizes, machines)
        for machine in machines:
            self.check(machine)
            self._sent[machine.equipment.equipment_id] = machine

    async def _start(self) -> None:
        self._sent: dict[str, Machine] = {}
        here, there = socket.socketpair()
        # Without this end of the connection the process ends. The event loop has its own handle of
        # it, which notices.
        self._let_go = Finalize(self, _hang_up, (here.dup(),), exitpriority=10)
        level = logging.getLevelName(logging.getLogger().level)
        self._process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(there, level), name="model", daemon=True
        )
        await asyncio.to_thread(self._process.start)
        there.close()
        loop = asyncio.get_running_loop()
        _, self._conversation = await loop.create_connection(Conversation, sock=here)

    async def _start_again(self) -> None:
        await self.close()
        _LOG.error("the model's process ended (%s); it starts anew", self._process.exitcode)
        await self._start()
        try:
            _, version = await self._conversation.ask("open", *self._opened)
            if version != self.version:
                raise SpecError(f"bundle: another one is at {self._opened[0]} now")
            await self._warm_up()
        except Exception:
            await self.close()
            raise


def _packed(signals: Mapping[str, Signal]) -> list[tuple[str, float, bytes]]:
    return [(name, each.rate_hz, each.values.tobytes()) for name, each in signals.items()]


def _unpacked(packed: list[tuple[str, float, bytes]]) -> dict[str, Signal]:
    return {
        name: Signal(np.frombuffer(values, np.float32), rate_hz) for name, rate_hz, values in packed
    }


def _hang_up(connection: socket.socket) -> None:
    with connection, suppress(OSError):  # where the process has ended, nobody is there to be told
        connection.shutdown(socket.SHUT_RDWR)


class _Worker:
    """What the process can be asked."""

    def __init__(self) -> None:
        self._known: dict[str, Machine] = {}

    def __call__(self, name: str, *arguments: Any) -> Any:
        return getattr(self, name)(*arguments)

    def open(
        self, bundle: Path, verify_key: Path | None, device: str, threads: int
    ) -> tuple[Manifest, str]:
        torch.set_num_threads(threads)
        self._model = ServedModel(read_bundle(bundle, verify_key, device), device)
        return self._model.manifest, self._model.version

    def warm_up(self, sizes: list[int], machines: list[Machine]) -> None:
        self._model.warm_up(sizes, machines)
        self._known |= {each.equipment.equipment_id: each for each in machines}
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again stops every batch

    def answer(
        self,
        machines: list[Machine | str],
        rows: list[_Row],
    ) -> tuple[list[WindowAnswer], Timings, int]:
        own = [self._known[each] if isinstance(each, str) else each for each in machines]
        self._known |= {each.equipment.equipment_id: each for each in own}
        windows = [
            TelemetryWindow(own[row], start, _unpacked(packed)) for row, start, packed in rows
        ]
        return (*self._model.answer(windows), self._model.device_memory_bytes)


def _work(connection: socket.socket, log_level: str) -> None:
    """Answer until nobody asks any more."""
    # Whoever stops the service may tell all its processes; what was accepted is answered still.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    configure(log_level)
    answer_questions(connection, _Worker())
