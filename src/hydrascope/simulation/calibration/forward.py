"""The numbers of a window from a simulation of the machine with some unknowns."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.signal import Signal
from hydrascope.simulation.build import Build
from hydrascope.simulation.calibration.features import Layout, window_features
from hydrascope.simulation.calibration.parameters import moved_machine
from hydrascope.simulation.calibration.unknowns import Unknowns
from hydrascope.simulation.channels import RATE_HZ, Channel
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.fleet import usual_hysteresis
from hydrascope.simulation.instruments import ACCURACY
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.recording import WARM_UP_S, Job, observe
from hydrascope.simulation.solver import Plant

Values = NDArray[np.float64]


class ForwardModel:
    """Simulates windows of a machine.

    Args:
        build: The machine as its file has it.
        unknowns: What is fitted.
        layout: The numbers of a window.
        window_s: The length of a window.
    """

    def __init__(self, build: Build, unknowns: Unknowns, layout: Layout, window_s: float) -> None:
        self.build, self.unknowns, self.layout = build, unknowns, layout
        self._window_s = window_s
        self.exact = layout.cycle_s is not None and build.duty.operator.load == 0.0
        """Whether cycles do not differ, so that windows of equal conditions are equal."""
        self._seeds = (0,) if self.exact else (0, 1)
        by_id = {each.sensor.id: each for each in build.channels}
        self.channels = tuple(by_id[sensor] for sensor in layout.sensors)
        self._plant = lru_cache(maxsize=4)(self._plant_of)

    def halves(self, unknowns: Values, windows: Iterable[int] | None = None) -> Values:
        """Return the numbers that are expected of windows, each by two runs.

        Args:
            unknowns: The machine and its conditions.
            windows: Which windows; None: all.

        Returns:
            [2, windows, size]; the mean of both is expected. Only one run is needed, and both are
            equal, where cycles do not scatter.
        """
        chosen = range(self.unknowns.windows) if windows is None else windows
        runs = [self._run(unknowns, each, seed) for seed in self._seeds for each in chosen]
        found = np.array(runs).reshape(len(self._seeds), -1, self.layout.size)
        return found if len(found) == 2 else np.repeat(found, 2, axis=0)

    def predicted(self, unknowns: Values, windows: Iterable[int] | None = None) -> Values:
        """Return the numbers that are expected of windows [windows, size], of all by default."""
        expected: Values = self.halves(unknowns, windows).mean(axis=0)
        return expected

    def _run(self, unknowns: Values, window: int, seed: int) -> Values:
        rng = np.random.default_rng(seed)
        observed = self._signals(unknowns, window, rng, 0.0, self._window_s)
        return window_features(self.layout, observed)

    def scattered(self, unknowns: Values, window: int, rng: np.random.Generator) -> Values:
        """Return the numbers [size] of a window that begins somewhere, with noise of sensors."""
        in_step = self.layout.cycle_s is not None
        begin_s = 0.0 if in_step else float(rng.uniform(0.0, self._cycle_s))
        read = self._signals(unknowns, window, rng, begin_s, self._window_s)
        for channel in self.channels:
            values = read[channel.sensor.id].values
            deviation = ACCURACY[channel.sensor.kind].noise * span(channel)
            values += (deviation * rng.standard_normal(len(values))).astype(np.float32)
        return window_features(self.layout, read)

    def _signals(
        self,
        unknowns: Values,
        window: int,
        rng: np.random.Generator,
        begin_s: float,
        seconds: float,
    ) -> dict[str, Signal]:
        """Return what sensors without errors measure while cycles scatter."""
        circuit, plant = self._plant(self.unknowns.of_machine(unknowns).tobytes())
        conditions = self.unknowns.in_window(unknowns, window)
        job = Job(
            self.build.cycle, conditions.operator, conditions.setting, conditions.ambient_c, rng,
            (begin_s - WARM_UP_S) % self._cycle_s,
        )  # fmt: skip

        def plant_at(_begin_s: float) -> Plant:
            return Plant(*(values.copy() for values in plant))

        observations = list(observe(circuit, plant_at, job, seconds))
        read = {}
        for channel in self.channels:
            every = round(RATE_HZ / channel.sensor.rate_hz)
            truth = np.concatenate([channel.truth(each)[::every] for each in observations])
            assert channel.sensor.range is not None
            within = np.clip(truth, *channel.sensor.range).astype(np.float32)
            read[channel.sensor.id] = Signal(within, channel.sensor.rate_hz)
        return read

    @property
    def _cycle_s(self) -> float:
        """The time after which the duty repeats, pauses included."""
        duty = self.build.duty
        if duty.pause is None:
            return duty.duration_s
        return duty.pause.every_cycles * duty.duration_s + duty.pause.duration_s

    def _plant_of(self, moved: bytes) -> tuple[Circuit, Plant]:
        machine = moved_machine(
            self.build.circuit.machine, self.unknowns.parameters, np.frombuffer(moved).tolist()
        )
        circuit = build_circuit(machine)
        plant = build_plant(circuit)
        plant.valve_stiction[0] = usual_hysteresis(circuit)
        return circuit, plant


def span(channel: Channel) -> float:
    """Return the width of a sensor's range."""
    assert channel.sensor.range is not None
    low, high = channel.sensor.range
    return high - low
