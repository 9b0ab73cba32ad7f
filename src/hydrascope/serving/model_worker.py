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
from hydrascope.serving.windows import (
    GivenReference,
    ReferenceUse,
    Subject,
    TelemetryWindow,
    Timings,
    WindowAnswer,
)

Row = tuple[int, datetime, list[Packed]]
"""A window: the place of its machine among those sent with it, its start, its signals."""


class ModelWorker:
    """Answers the questions of `ModelProcess`: a method's name and its arguments."""

    def __init__(self) -> None:
        self._known: dict[str, Subject] = {}

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

    def check(self, machine: Machine, given: GivenReference | None) -> ReferenceUse | None:
        """Refuse a machine that the network cannot read; say what it is compared with."""
        return self._model.check(machine, given)

    def warm_up(
        self, sizes: Sequence[int], machines: Sequence[Machine]
    ) -> list[ReferenceUse | None]:
        """Warm the model up; these machines are known by their ids from now on.

        Returns:
            What each is compared with.
        """
        self._model.warm_up(sizes, machines)
        uses = [self._model.check(each) for each in machines]
        self._known |= {each.equipment.equipment_id: (each, None) for each in machines}
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again stops every batch
        return uses

    def answer(
        self, subjects: Sequence[Subject | str], rows: Sequence[Row]
    ) -> tuple[list[WindowAnswer], Timings, int]:
        """Answer windows of these machines, or of those that are known by these ids."""
        own = [self._known[each] if isinstance(each, str) else each for each in subjects]
        self._known |= {machine.equipment.equipment_id: (machine, given) for machine, given in own}
        windows = [
            TelemetryWindow(own[place][0], start, unpacked(signals), own[place][1])
            for place, start, signals in rows
        ]
        return (*self._model.answer(windows), self._model.device_memory_bytes)
