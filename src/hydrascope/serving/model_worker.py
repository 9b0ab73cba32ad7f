"""What a model's process can be asked."""

import gc
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.serving.model import ServedModel
from hydrascope.serving.packing import Packed, unpacked
from hydrascope.serving.windows import TelemetryWindow, Timings, WindowAnswer

Row = tuple[int, datetime, list[Packed]]
"""A window: the place of its machine among those sent with it, its start, its signals."""


class ModelWorker:
    """Answers the questions of `ModelProcess`: a method's name and its arguments."""

    def __init__(self) -> None:
        self._known: dict[str, Machine] = {}

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Answer one."""
        return getattr(self, name)(*arguments)

    def open(
        self, bundle: Path, verify_key: Path | None, device: str, threads: int
    ) -> tuple[Manifest, str]:
        """Open a bundle; the first question."""
        torch.set_num_threads(threads)
        self._model = ServedModel(read_bundle(bundle, verify_key, device), device)
        return self._model.manifest, self._model.version

    def check(self, machine: Machine) -> None:
        """Refuse a machine that the network cannot read."""
        self._model.check(machine)

    def warm_up(self, sizes: Sequence[int], machines: Sequence[Machine]) -> None:
        """Warm the model up; these machines are known by their ids from now on."""
        self._model.warm_up(sizes, machines)
        self._known |= {each.equipment.equipment_id: each for each in machines}
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again stops every batch

    def answer(
        self, machines: Sequence[Machine | str], rows: Sequence[Row]
    ) -> tuple[list[WindowAnswer], Timings, int]:
        """Answer windows of these machines, or of those that are known by these ids."""
        own = [self._known[each] if isinstance(each, str) else each for each in machines]
        self._known |= {each.equipment.equipment_id: each for each in own}
        windows = [
            TelemetryWindow(own[place], start, unpacked(signals)) for place, start, signals in rows
        ]
        return (*self._model.answer(windows), self._model.device_memory_bytes)
