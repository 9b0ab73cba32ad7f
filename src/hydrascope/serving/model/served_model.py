"""A bundle that answers windows of raw telemetry.

Windows become numbers in `graphs.WindowComputer`, as in a training, and answers in the bundle's
diagnoser, as in an evaluation.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.layout import concatenate as concatenate_graphs
from hydrascope.packaging import parity
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.fitness import OF_GRAPHS, OF_SENSORS, basis, right
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import (
    BLAME,
    COMPONENT,
    LEVELS,
    MACHINE,
    OPERATING_POINT,
    SENSOR,
)
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.task import HeadLevel
from hydrascope.serving.model.machine_cache import (
    MachineCache,
    PreparedMachine,
    compute_features,
    concatenate,
    group_alike,
)
from hydrascope.serving.model.torch_errors import builtin_errors
from hydrascope.serving.windows import (
    GivenReference,
    ReferenceUse,
    TelemetryWindow,
    Timings,
    WindowAnswer,
)

_MAY_BE_NAN = (*LEVELS, BLAME, OPERATING_POINT, *OF_SENSORS, *OF_GRAPHS)
"""The answers in which NaN says that there is nothing to score or to judge."""


class _Group(NamedTuple):
    """W windows of one machine that were computed together.

    Attributes:
        inputs: Of all windows.
        present: [W, S]; share of each sensor's samples that are present.
        machine: With N components and S sensors.
    """

    inputs: GraphInputs
    present: NDArray[np.float64]
    machine: PreparedMachine


class ServedModel:
    """Answers windows in this process; used by one thread at a time.

    Args:
        bundle: Opened on `device`.
        device: `cpu` or `cuda`.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        self.manifest, self.version = bundle.manifest, bundle.version
        self.window_s = bundle.manifest.window.window_s
        self._golden, self._golden_answers = bundle.golden, bundle.golden_answers
        self._device = torch.device(device)
        self._diagnoser = bundle.diagnoser
        self._machines = MachineCache(bundle)

    def check(self, machine: Machine, given: GivenReference | None = None) -> ReferenceUse | None:
        """Check that the network can read a machine, as `Model.check`.

        Raises:
            SpecError: A kind or a sensor of it is not in the network's vocabulary.
        """
        return self._machines.get(machine, given).use

    def check_golden(self) -> None:
        """Check that the golden answers are those of the export.

        Raises:
            SpecError: They differ by more than `parity.LIMIT`.
        """
        with torch.inference_mode():
            answers, _ = self._network(self._golden)
        difference = parity.difference(answers, self._golden_answers)
        if not difference <= parity.LIMIT:
            raise SpecError(
                f"golden answers differ by {difference:.2g} on this machine", path="bundle"
            )

    def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine], runs: int = 10) -> None:
        """Answer synthetic windows of these machines, in batches of these sizes.

        Raises:
            SpecError: As `check_golden`, which is run first.
        """
        self.check_golden()
        sizes = list(sizes)
        for run in range(max(runs, len(sizes))):
            machine = machines[run % len(machines)]
            size = sizes[run % len(sizes)]
            # Features of windows with gaps are computed by other code than those of whole ones.
            self.answer([self._ramp(machine, gap=run % 2 == 0)] * size)

    def answer(self, windows: Sequence[TelemetryWindow]) -> tuple[list[WindowAnswer], Timings]:
        """Answer some windows of any machines, in their order.

        Raises:
            SpecError: As `check`.
            FloatingPointError: An answer of the network is NaN or infinite.
            MemoryError: There is too little memory for so many windows.
        """
        with builtin_errors():
            return self._answer(windows)

    @torch.inference_mode()
    def _answer(self, windows: Sequence[TelemetryWindow]) -> tuple[list[WindowAnswer], Timings]:
        began_s, start = time.time(), time.perf_counter()
        rows = group_alike(windows, self.window_s)
        groups = [self._compute([windows[row] for row in own]) for own in rows]
        batch = concatenate_graphs([group.inputs for group in groups])
        middle = time.perf_counter()
        found, normalised = self._network(batch)
        answers = self._split(groups, found, batch.sensor_observed, _drift(normalised))
        # The batch holds the windows group after group.
        order = np.argsort([row for own in rows for row in own])
        in_order = [answers[place] for place in order]
        return in_order, Timings(began_s, middle - start, time.perf_counter() - middle)

    @property
    def device_memory_bytes(self) -> int:
        """Memory that torch has reserved on the GPU; 0 on a CPU."""
        return torch.cuda.memory_reserved() if self._device.type == "cuda" else 0

    def _network(self, batch: GraphInputs) -> tuple[dict[str, Tensor], GraphInputs]:
        """Return the answers, and the batch as the model reads it."""
        moved = batch if self._device.type == "cpu" else batch.to(self._device)
        found, normalised = self._diagnoser.answer(moved)
        answers = {name: answer.cpu() for name, answer in found.items()}
        wrong = (
            answer.isinf() if name in _MAY_BE_NAN else ~answer.isfinite()
            for name, answer in answers.items()
        )
        if any(bool(each.any()) for each in wrong):
            raise FloatingPointError("the network answered NaN or an infinite number")
        return answers, normalised

    def _split(
        self,
        groups: Sequence[_Group],
        found: dict[str, Tensor],
        observed: Tensor,
        drift: Tensor,
    ) -> list[WindowAnswer]:
        """Return each window's part of a batch's answers, in the order of the batch."""
        arrays = {name: answer.numpy() for name, answer in found.items()}
        observed_array, drift_array = observed.numpy(), drift.numpy()
        heads = [(head.name, head.level) for head in self.manifest.task.heads]
        fitness = self._fitness_levels(arrays)
        answers: list[WindowAnswer] = []
        component = sensor = 0
        for _, present, machine in groups:
            for own_present in present:
                graph = len(answers)
                components = slice(component, component + machine.layout.num_components)
                sensors = slice(sensor, sensor + machine.layout.num_sensors)
                component, sensor = components.stop, sensors.stop
                parts = {MACHINE: slice(graph, graph + 1), COMPONENT: components, SENSOR: sensors}
                parts[BLAME] = components
                parts[OPERATING_POINT] = parts[MACHINE]
                answers.append(
                    WindowAnswer(
                        {
                            name: arrays[name][
                                components if level is HeadLevel.COMPONENT else graph
                            ]
                            for name, level in heads
                        },
                        {
                            level: arrays[level][part, 0]
                            for level, part in parts.items()
                            if level in arrays
                        },
                        own_present,
                        observed_array[sensors],
                        drift_array[sensors],
                        machine.use,
                        {name: arrays[name][parts[level], 0] for name, level in fitness.items()},
                    )
                )
        return answers

    def _fitness_levels(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
        """Return the level of each entry of `schemas.fitness` that there is."""
        levels = dict.fromkeys(OF_SENSORS, SENSOR) | dict.fromkeys(OF_GRAPHS, MACHINE)
        for head in self.manifest.task.heads:
            level = COMPONENT if head.level is HeadLevel.COMPONENT else MACHINE
            levels |= {right(head.name): level, basis(head.name): level}
        return {name: level for name, level in levels.items() if name in arrays}

    def _compute(self, windows: Sequence[TelemetryWindow]) -> _Group:
        """Compute windows that are alike together, as one recording."""
        machine = self._machines.get(windows[0].machine, windows[0].given)
        signals = concatenate(windows)
        features, observed = compute_features(machine.computer, signals, len(windows))
        end_s = [each.start.timestamp() + self.window_s for each in windows]
        fields = machine.computer.window_fields(
            features, observed, torch.tensor(end_s, dtype=torch.float64)
        )
        present = np.zeros((len(windows), machine.layout.num_sensors))
        for column, (_, sensor) in enumerate(machine.machine.topology.sensors):
            if (signal := signals.get(sensor.id)) is not None:
                expected = max(1, round(signal.rate_hz * self.window_s))
                good = np.isfinite(signal.values).reshape(len(windows), -1).sum(1)
                present[:, column] = np.minimum(1.0, good / expected)
        return _Group(machine.layout.batch(fields, machine.reference), present, machine)

    def _ramp(self, machine: Machine, *, gap: bool) -> TelemetryWindow:
        signals = {}
        for _, sensor in machine.topology.sensors:
            low, high = sensor.range or (0.0, 1.0)
            count = max(1, round(sensor.rate_hz * self.window_s))
            values = np.linspace(low, high, count, dtype=np.float32)
            values[: count // 20] = np.nan if gap else low
            signals[sensor.id] = Signal(values, sensor.rate_hz)
        return TelemetryWindow(machine, datetime.now(UTC) - timedelta(days=1), signals)


def _drift(normalised: GraphInputs) -> Tensor:
    """Return the mean |z| of each sensor's features, [S]; NaN where nothing was observed."""
    z, observed = normalised.sensor_features, normalised.sensor_observed
    seen = observed.sum(1) * z.shape[2]
    return torch.where(seen > 0, z.abs().sum((1, 2)) / seen, torch.nan).cpu()
