"""A model in a process of its own.

Python runs one thread at a time. Beside what reads requests and writes answers, a model in the same
process waits for its turn at every operation, and its batches take twice as long.
"""

import gc
import logging
import multiprocessing
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Event, Lock
from typing import Any, NamedTuple

import torch

from hydrascope.graphs.layout import GraphLayout
from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.serving.logs import configure
from hydrascope.serving.model import ServedModel
from hydrascope.serving.windows import TelemetryWindow, Timings, WindowAnswer

_LOG = logging.getLogger(__name__)
_ENDS_IN_S = 10.0
_Row = tuple[int, datetime, Mapping[str, Signal]]
"""A window: the place of its machine among those sent with it, its start, its signals."""


class ModelEndedError(Exception):
    """The model's process ended while it was asked, as when memory runs out; a new one follows."""


class _Turn(NamedTuple):
    """When an answer is to be taken, and from where."""

    process: BaseProcess
    connection: Connection
    before: Event
    """Set when the one before it was taken."""
    done: Event
    """Set when it was."""


class ModelProcess:
    """A bundle that answers in a process of its own, which ends with this one.

    Should it end before, what it was asked fails, and the next batch finds it started anew.

    Args:
        bundle: Folder or archive; must stay where it is.
        verify_key: Public key that it must be signed with.
        device: `cpu` or `cuda`.
        threads: Of torch.

    Raises:
        SpecError: As `read_bundle`.
    """

    at_once = 2
    """The next batch is there when one is done, however busy this process is."""

    def __init__(
        self, bundle: Path, verify_key: Path | None = None, device: str = "cpu", threads: int = 1
    ) -> None:
        self._opened = (bundle, verify_key, device, threads)
        self._warmth: tuple[list[int], list[Machine]] = ([], [])
        self._asking = Lock()
        self._accepted: dict[str, Machine] = {}
        self.device_memory_bytes = 0
        self._start()
        self.manifest, self.version = self._ask("open", *self._opened)
        self.window_s: float = self.manifest.window.window_s

    def check(self, machine: Machine) -> None:
        """Refuse a machine that the network cannot read, as `ServedModel.check`."""
        equipment_id = machine.equipment.equipment_id
        if self._accepted.get(equipment_id) is not machine:
            GraphLayout.of(machine.topology, self.manifest.input_spec, self.manifest.task.heads)
            self._accepted[equipment_id] = machine

    def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine]) -> None:
        """Warm it up, as `ServedModel.warm_up`."""
        self._warmth = (list(sizes), list(machines))
        self._ask("warm_up", *self._warmth)

    def answer(self, windows: Sequence[TelemetryWindow]) -> tuple[list[WindowAnswer], Timings]:
        """Answer some windows, as `ServedModel.answer`.

        Raises:
            ModelEndedError: See there.
        """
        with self._asking:
            if not self._process.is_alive():
                self._start_again()
            turn = self._put("answer", *self._sendable(windows))
        answers, timings, self.device_memory_bytes = self._take(turn)
        return answers, timings

    def _sendable(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[Machine | str], list[_Row]]:
        """Return the windows with each machine once, or its id where it is known there."""
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
        return machines, [(place[id(each.machine)], each.start, each.signals) for each in windows]

    def _start(self) -> None:
        self._sent: dict[str, Machine] = {}
        nothing = Event()
        nothing.set()
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        # Without this end of the connection the process ends.
        self._let_go = Finalize(self, self._connection.close, exitpriority=10)
        level = logging.getLevelName(logging.getLogger().level)
        self._process = context.Process(
            target=_work, args=(other, level), name="model", daemon=True
        )
        self._process.start()
        other.close()
        self._last = _Turn(self._process, self._connection, nothing, nothing)

    def _start_again(self) -> None:
        _LOG.error("the model's process ended (%s); it starts anew", self._process.exitcode)
        self._let_go()
        self._start()
        try:
            _, version = self._ask("open", *self._opened)
            if version != self.version:
                raise ModelEndedError(f"and another bundle is at {self._opened[0]} now")
            self._ask("warm_up", *self._warmth)
        except Exception:
            self._let_go()
            self._process.join(_ENDS_IN_S)
            raise

    def _ask(self, *question: Any) -> Any:
        return self._take(self._put(*question))

    def _put(self, *question: Any) -> _Turn:
        """Send a question; its answer comes after those of all before it."""
        try:
            self._connection.send(question)
        except OSError:
            raise _ended(self._process) from None
        turn = _Turn(self._process, self._connection, self._last.done, Event())
        self._last = turn
        return turn

    def _take(self, turn: _Turn) -> Any:
        """Wait for the answer whose turn it is."""
        turn.before.wait()
        try:
            answer = turn.connection.recv()
        except (EOFError, OSError):
            raise _ended(turn.process) from None
        finally:
            turn.done.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _ended(process: BaseProcess) -> ModelEndedError:
    process.join(_ENDS_IN_S)
    return ModelEndedError(f"exit code {process.exitcode}")


class _Worker:
    """What the process can be asked."""

    def __init__(self) -> None:
        self._known: dict[str, Machine] = {}

    def open(
        self, bundle: Path, verify_key: Path | None, device: str, threads: int
    ) -> tuple[Manifest, str]:
        torch.set_num_threads(threads)
        self._model = ServedModel(read_bundle(bundle, verify_key, device), device)
        return self._model.manifest, self._model.version

    def warm_up(self, sizes: list[int], machines: list[Machine]) -> None:
        self._model.warm_up(sizes, machines)
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again stops every batch

    def answer(
        self,
        machines: list[Machine | str],
        rows: list[_Row],
    ) -> tuple[list[WindowAnswer], Timings, int]:
        own = [self._known[each] if isinstance(each, str) else each for each in machines]
        self._known |= {each.equipment.equipment_id: each for each in own}
        windows = [TelemetryWindow(own[place], start, signals) for place, start, signals in rows]
        return (*self._model.answer(windows), self._model.device_memory_bytes)


def _work(connection: Connection, log_level: str) -> None:
    """Answer until nobody asks any more."""
    # Whoever stops the service may tell all its processes; what was accepted is answered still.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    configure(log_level)
    worker = _Worker()
    with suppress(EOFError, OSError):
        while True:
            name, *arguments = connection.recv()
            try:
                answer = getattr(worker, name)(*arguments)
            except Exception as error:  # noqa: BLE001 (raised where it was asked)
                answer = ExceptionWithTraceback(error, error.__traceback__)
            connection.send(answer)
