"""A bundle ready to answer: raw telemetry windows in, each head's answer out.

Windows become numbers in `graphs.WindowComputer`, as in a training, and answers in the bundle's
diagnoser, as in an evaluation.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.layout import concatenate
from hydrascope.packaging import parity
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import COMPONENT, LEVELS, MACHINE, SENSOR
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.task import HeadLevel
from hydrascope.serving.known_machines import (
    KnownMachine,
    KnownMachines,
    alike,
    end_to_end,
    features_of,
)
from hydrascope.serving.torch_errors import plain_errors
from hydrascope.serving.windows import (
    GivenReference,
    ReferenceUse,
    TelemetryWindow,
    Timings,
    WindowAnswer,
)


class ServedModel:
    """A bundle that answers in this process; used by one thread at a time.

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
        self._machines = KnownMachines(bundle)

    def check(self, machine: Machine, given: GivenReference | None = None) -> ReferenceUse | None:
        """Refuse a machine that the network cannot read.

        Returns:
            What its windows are compared with, if it was `given` that reference.

        Raises:
            SpecError: A kind or a sensor of it is not in the network's vocabulary.
        """
        return self._machines.of(machine, given).use

    def check_golden(self) -> None:
        """Refuse to answer where the golden answers come out differently than at export.

        Raises:
            SpecError: By more than `parity.LIMIT`.
        """
        with torch.inference_mode():
            answers, _ = self._network(self._golden)
        difference = parity.difference(answers, self._golden_answers)
        if not difference <= parity.LIMIT:
            raise SpecError(f"bundle: golden answers differ by {difference:.2g} on this machine")

    def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine], runs: int = 10) -> None:
        """Answer made-up windows of these machines, in batches of these sizes.

        Raises:
            SpecError: As `check_golden`, which is run first.
        """
        self.check_golden()
        sizes = list(sizes)
        for run in range(max(runs, len(sizes))):
            machine = machines[run % len(machines)]
            size = sizes[run % len(sizes)]
            # Gaps take another way through the features than whole windows.
            self.answer([self._ramp(machine, gap=run % 2 == 0)] * size)

    def answer(self, windows: Sequence[TelemetryWindow]) -> tuple[list[WindowAnswer], Timings]:
        """Answer some windows of any machines, in their order.

        Raises:
            SpecError: As `check`.
            FloatingPointError: The network gave a number that is none.
            MemoryError: It does not suffice for so many windows.
        """
        with plain_errors():
            return self._answer(windows)

    @torch.inference_mode()
    def _answer(self, windows: Sequence[TelemetryWindow]) -> tuple[list[WindowAnswer], Timings]:
        began_s, start = time.time(), time.perf_counter()
        groups = alike(windows, self.window_s)
        computed = [self._compute([windows[i] for i in rows]) for rows in groups]
        batch = concatenate([inputs for inputs, _, _ in computed])
        middle = time.perf_counter()
        answered, normalised = self._network(batch)
        said = {name: answer.numpy() for name, answer in answered.items()}
        observed, drift = batch.sensor_observed.numpy(), _drift(normalised).numpy()
        answers: list[WindowAnswer | None] = [None] * len(windows)
        graph = component = sensor = 0
        for rows, (_, present, known) in zip(groups, computed, strict=True):
            components, sensors = known.layout.num_components, known.layout.num_sensors
            for row, there in zip(rows, present, strict=True):
                own = slice(component, component + components)
                seen = slice(sensor, sensor + sensors)
                answers[row] = WindowAnswer(
                    {
                        head.name: said[head.name][
                            own if head.level is HeadLevel.COMPONENT else graph
                        ]
                        for head in self.manifest.task.heads
                    },
                    {
                        level: said[level][at, 0]
                        for level, at in (
                            (MACHINE, slice(graph, graph + 1)),
                            (COMPONENT, own),
                            (SENSOR, seen),
                        )
                        if level in said
                    },
                    there,
                    observed[seen],
                    drift[seen],
                    known.use,
                )
                graph, component, sensor = graph + 1, component + components, sensor + sensors
        done = time.perf_counter()
        in_order = [answer for answer in answers if answer is not None]
        return in_order, Timings(began_s, middle - start, done - middle)

    @property
    def device_memory_bytes(self) -> int:
        """What torch holds of the GPU's memory; 0 on a CPU."""
        return torch.cuda.memory_reserved() if self._device.type == "cuda" else 0

    def _network(self, batch: GraphInputs) -> tuple[dict[str, Tensor], GraphInputs]:
        """Return the answers, and the batch as the model reads it."""
        moved = batch if self._device.type == "cpu" else batch.to(self._device)
        normalised = self._diagnoser.normalise(moved)
        found = self._diagnoser.answers(moved, normalised)
        answers = {name: answer.cpu() for name, answer in found.items()}
        # Of normality NaN is an answer too: there is nothing to score.
        wrong = (
            answer.isinf() if name in LEVELS else ~answer.isfinite()
            for name, answer in answers.items()
        )
        if any(bool(each.any()) for each in wrong):
            raise FloatingPointError("the network gave a number that is none")
        return answers, normalised

    def _compute(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[GraphInputs, NDArray[np.float64], KnownMachine]:
        """Lay windows that are alike end to end, and compute them as one recording.

        Between the batch and what is known of the machine: which shares of samples are there, by
        window and sensor.
        """
        known = self._machines.of(windows[0].machine, windows[0].given)
        signals = end_to_end(windows)
        features, observed = features_of(known.computer, signals, len(windows))
        end_s = [each.start.timestamp() + self.window_s for each in windows]
        fields = known.computer.complete(
            features, observed, torch.tensor(end_s, dtype=torch.float64)
        )
        return (
            known.layout.batch(fields, known.reference),
            self._present(known.machine, signals, len(windows)),
            known,
        )

    def _present(
        self, machine: Machine, signals: Mapping[str, Signal], windows: int
    ) -> NDArray[np.float64]:
        present = np.zeros((windows, len(machine.topology.sensors)))
        for row, (_, sensor) in enumerate(machine.topology.sensors):
            if (signal := signals.get(sensor.id)) is not None:
                expected = max(1, round(signal.rate_hz * self.window_s))
                good = np.isfinite(signal.values).reshape(windows, -1).sum(1)
                present[:, row] = np.minimum(1.0, good / expected)
        return present

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
