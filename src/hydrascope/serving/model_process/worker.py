"""The calls that a model's process handles."""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas.machine import Machine
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.model_process.window_transfer import PackedWindows, WindowReceiver
from hydrascope.serving.windows import GivenReference, ReferenceUse, Timings, WindowAnswer


class ModelWorker:
    """Handles the calls of `ModelProcess`: a method's name and its arguments."""

    def __init__(self) -> None:
        self._received = WindowReceiver()

    def __call__(self, method: str, *arguments: Any) -> Any:
        """Handle one call."""
        return getattr(self, method)(*arguments)

    def open(
        self, bundle: Path, verify_key: Path | None, device: str, threads: int
    ) -> tuple[Manifest, str]:
        """Open a bundle; the first call."""
        torch.set_num_threads(threads)
        self._model = ServedModel(read_bundle(bundle, verify_key, device), device)
        return self._model.manifest, self._model.version

    def check(self, machine: Machine, given: GivenReference | None) -> ReferenceUse | None:
        """Check a machine, as `ServedModel.check`."""
        return self._model.check(machine, given)

    def warm_up(
        self, sizes: Sequence[int], machines: Sequence[Machine]
    ) -> list[ReferenceUse | None]:
        """Warm the model up; return what each machine's windows are compared with.

        The machines are known by their IDs from then on.
        """
        self._model.warm_up(sizes, machines)
        uses = [self._model.check(each) for each in machines]
        self._received.add(machines)
        gc.collect()
        gc.freeze()  # permanent objects: scanning them again would delay every batch
        return uses

    def answer(self, packed: PackedWindows) -> tuple[list[WindowAnswer], Timings, int]:
        """Answer windows; return also the memory reserved on the GPU, in bytes."""
        windows = self._received.unpack(packed)
        return (*self._model.answer(windows), self._model.device_memory_bytes)
