"""A model in a process of its own.

Python runs one thread at a time. In the process that reads requests and writes answers, a model
would wait for its turn at every operation, and its batches would take twice as long. Without the
model that process does not need torch, which takes seconds to import and 200 MB.
"""

import asyncio
import logging
import multiprocessing
import signal
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path

from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.model_process.rpc import ProcessEndedError, RpcClient, serve_calls
from hydrascope.serving.model_process.window_transfer import WindowSender
from hydrascope.serving.observability.logs import configure_logging
from hydrascope.serving.windows import (
    GivenReference,
    ReferenceUse,
    Subject,
    TelemetryWindow,
    Timings,
    WindowAnswer,
)

_LOG = logging.getLogger(__name__)
_EXIT_TIMEOUT_S = 10.0


class ModelProcess:
    """Answers with a bundle in a process of its own, which ends with this one.

    If it ends before, its pending calls fail, and the next call starts it again. Made by `open`;
    used in one event loop.
    """

    max_in_flight = 2
    """The next batch is there when one is done, however busy this process is."""

    manifest: Manifest
    version: str

    def __init__(self, bundle: Path, verify_key: Path | None, device: str, threads: int) -> None:
        self._open_arguments = (bundle, verify_key, device, threads)
        self._warm_up_arguments: tuple[list[int], list[Machine]] = ([], [])
        self._restart: asyncio.Task[None] | None = None
        self._checked: dict[str, tuple[Subject, ReferenceUse | None]] = {}
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
            threads: Threads of torch.

        Raises:
            SpecError: As `read_bundle`.
        """
        model = cls(bundle, verify_key, device, threads)
        await model._start()
        try:
            model.manifest, model.version = await model._client.call("open", *model._open_arguments)
        except BaseException:  # a cancelled start must not leave a process behind
            await model.close()
            raise
        return model

    @property
    def window_s(self) -> float:
        """Length of its windows."""
        return self.manifest.window.window_s

    async def check(
        self, machine: Machine, given: GivenReference | None = None
    ) -> ReferenceUse | None:
        """Check that the network can read a machine, as `ServedModel.check`.

        Raises:
            ProcessEndedError: As `answer`.
        """
        equipment_id = machine.equipment.equipment_id
        if (known := self._checked.get(equipment_id)) is not None:
            subject, use = known
            if subject[0] is machine and subject[1] is given:
                return use
        await self._ensure_running()
        checked: ReferenceUse | None = await self._client.call("check", machine, given)
        self._checked[equipment_id] = ((machine, given), checked)
        return checked

    async def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine]) -> None:
        """Warm the model up, as `ServedModel.warm_up`."""
        self._warm_up_arguments = (list(sizes), list(machines))
        await self._warm_up()

    async def answer(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[WindowAnswer], Timings]:
        """Answer some windows, as `ServedModel.answer`.

        Raises:
            ProcessEndedError: The process ended before it answered, as when memory runs out, or
                could not be started again.
        """
        await self._ensure_running()
        answers, timings, self.device_memory_bytes = await self._client.call(
            "answer", self._sender.pack(windows)
        )
        return answers, timings

    async def close(self) -> None:
        """End the process."""
        if self._restart is not None:
            await asyncio.wait([self._restart], timeout=_EXIT_TIMEOUT_S)
        await self._end()

    async def _ensure_running(self) -> None:
        """Start the process again if it has ended; a cancelled caller does not stop that."""
        if self._restart is None and self._has_ended:
            self._restart = asyncio.create_task(self._start_again())
        if self._restart is not None:
            await asyncio.shield(self._restart)

    @property
    def _has_ended(self) -> bool:
        return self._client.closed or not self._process.is_alive()

    async def _warm_up(self) -> None:
        sizes, machines = self._warm_up_arguments
        uses = await self._client.call("warm_up", sizes, machines)
        self._sender.add(machines)
        for machine, use in zip(machines, uses, strict=True):
            self._checked[machine.equipment.equipment_id] = ((machine, None), use)

    async def _start(self) -> None:
        self._sender = WindowSender()
        here, there = socket.socketpair()
        # The process ends when this end of the connection is shut down. The event loop has its own
        # handle of it, which notices.
        self._disconnect = Finalize(self, _shut_down, (here.dup(),), exitpriority=10)
        level = logging.getLevelName(logging.getLogger().level)
        process = multiprocessing.get_context("spawn").Process(
            target=_run_worker, args=(there, level), name="model", daemon=True
        )
        await asyncio.to_thread(process.start)
        self._process = process
        there.close()
        loop = asyncio.get_running_loop()
        _, self._client = await loop.create_connection(RpcClient, sock=here)

    async def _end(self) -> None:
        self._disconnect()
        await asyncio.to_thread(self._process.join, _EXIT_TIMEOUT_S)

    async def _start_again(self) -> None:
        try:
            await self._end()
            _LOG.error("the model's process ended (%s); starting it again", self._process.exitcode)
            await self._start()
            _, version = await self._client.call("open", *self._open_arguments)
            if version != self.version:
                raise SpecError(f"another one is at {self._open_arguments[0]} now", path="bundle")
            await self._warm_up()
        except Exception as error:  # not the fault of what was asked
            await self._end()
            raise ProcessEndedError(f"the model's process did not start again: {error}") from error
        finally:
            self._restart = None


def _shut_down(connection: socket.socket) -> None:
    with connection, suppress(OSError):  # the other process may have ended
        connection.shutdown(socket.SHUT_RDWR)


def _run_worker(connection: socket.socket, log_level: str) -> None:
    """Handle calls until the connection is closed."""
    # A signal to the whole group must not lose requests that were accepted.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    configure_logging(log_level)
    from hydrascope.serving.model_process.worker import ModelWorker  # needs torch

    serve_calls(connection, ModelWorker())
