"""From what the solver records to what sensors say: place, unit, and all that they get wrong."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import ComponentType, SensorKind, SensorSpec, SpecError
from hydrascope.simulation.circuit import ACTUATORS, DRIVES, VALVES, Circuit
from hydrascope.simulation.plant import BAR, LITRE_MIN
from hydrascope.simulation.solver import ENDLESS, PUMP_SIGNALS, Plant

Values = NDArray[np.float64]

RUNOUT_MM_S, RIPPLE_MM_S, CAVITATION_MM_S = 0.9, 2.2, 14.0
"""Vibration velocity of a pump's housing: of its shaft, of pressure pulses at cut-off and full
stroke, and of bubbles collapsing at half fill, times two. A sound pump is in zone A/B of ISO
20816-1 (below 2.8 mm/s), a cavitating or worn one in C and D."""


@dataclass(frozen=True)
class SensorErrors:
    """What sensors get wrong; shares of the sensor's range."""

    noise: float = 0.0015
    gain: float = 0.004
    """Standard deviation of the gain over sensors, as a factor."""
    offset: float = 0.0015
    """Standard deviation of the offset over sensors; it also drifts so far in 1000 h."""
    bits: int = 14
    """Steps of the converter over the range."""
    dropouts_per_h: float = 0.6
    """Gaps of 1 to 8 s."""
    stuck_per_h: float = 0.05
    """Values held for 5 to 60 s."""
    jitter_s: float = 0.004
    """Standard deviation of the sampling instant."""


def true_signal(
    circuit: Circuit, plant: Plant, component: str, sensor: SensorSpec, record: Values,
    target: Values,
) -> Values:  # fmt: skip
    """Return what a perfect sensor would say [samples], in the unit of its kind.

    Args:
        circuit: The network.
        plant: Its values, [1, …] each.
        component: Who carries the sensor.
        sensor: What it measures, and where.
        record: What `kernel.advance` recorded of the machine, [samples, signals].
        target: What was asked for at those times, [samples, A].

    Raises:
        SpecError: There is nothing of that kind to measure at that place.
    """
    kind, place = circuit.kinds[component], sensor.position
    columns = _Columns(circuit, record)
    match sensor.kind:
        case SensorKind.PRESSURE if place == "drop":
            branch = circuit.branches[circuit.branch_of(component)]
            drop: Values = columns.pressure(branch.start) - columns.pressure(branch.end)
            drop /= BAR
            return drop
        case SensorKind.PRESSURE if (component, place or "outlet") in circuit.node:
            pressure: Values = columns.pressure(circuit.node[component, place or "outlet"]) / BAR
            return pressure
        case SensorKind.FLOW if kind == ComponentType.PUMP:
            flow, leakage, *_ = columns.pump(component)
            passed: Values = (leakage if place == "drain" else flow - leakage) / LITRE_MIN
            return passed
        case SensorKind.POWER if kind in DRIVES:
            driven = [p for p, drive in zip(circuit.pumps, circuit.drives, strict=True)
                      if drive == component]  # fmt: skip
            shaft = np.sum([columns.pump(pump)[4] for pump in driven], axis=0)
            power: Values = shaft / circuit.values[component]["efficiency"] / 1e3
            return power
        case SensorKind.VIBRATION if kind == ComponentType.PUMP:
            return _vibration(circuit, plant, component, columns)
        case SensorKind.TEMPERATURE if kind == ComponentType.COOLER:
            return columns.temperature(0 if place == "inlet" else 2)
        case SensorKind.TEMPERATURE if kind == ComponentType.TANK:
            return columns.temperature(1)
        case SensorKind.POSITION if kind in ACTUATORS:
            position: Values = columns.actuator(component)[0]
            if kind == ComponentType.CYLINDER:
                position = position * 1e3
            return position
        case SensorKind.CONTROL_SIGNAL if kind in VALVES:
            return 100.0 * _command(circuit, plant, str(place), columns, target)
    raise SpecError(
        f"sensor {sensor.id}: no {sensor.kind} can be measured at {place!r} of a {kind} "
        f"({component}) in a simulation"
    )


def measured(
    truth: Values, sensor: SensorSpec, rate_hz: float, errors: SensorErrors,
    machine: tuple[int, ...], recording: int, hour: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Return what a sensor says of `truth` [samples], NaN in its gaps.

    Gain and offset are the sensor's own for the machine's life; all else is of the recording.
    """
    name = zlib.crc32(sensor.id.encode())
    own = np.random.default_rng((*machine, name))
    rng = np.random.default_rng((*machine, name, recording + 1))
    low, high = sensor.range or (float(truth.min()), float(truth.max()) + 1e-9)
    span = min(high - low, 2.0 * float(np.abs(truth).max()) + 0.05 * (high - low))
    gain, offset, drift = own.standard_normal(3) * (errors.gain, errors.offset, errors.offset)
    slope = np.gradient(truth) * rate_hz if len(truth) > 1 else np.zeros_like(truth)
    said = truth + slope * errors.jitter_s * rng.standard_normal(len(truth))
    said = said * (1.0 + gain) + span * (offset + drift * hour / 1_000.0)
    said += span * errors.noise * rng.standard_normal(len(truth))
    step = (high - low) / 2**errors.bits
    said = np.clip(np.round(said / step) * step, low, high)
    hours = len(truth) / rate_hz / 3_600.0
    for _ in range(rng.poisson(errors.stuck_per_h * hours)):
        begin, length = _stretch(rng, len(truth), rate_hz, 5.0, 60.0)
        said[begin : begin + length] = said[begin]
    for _ in range(rng.poisson(errors.dropouts_per_h * hours)):
        begin, length = _stretch(rng, len(truth), rate_hz, 1.0, 8.0)
        said[begin : begin + length] = np.nan
    return np.asarray(said, dtype=np.float32)


class _Columns:
    """Where `kernel.advance` puts what."""

    def __init__(self, circuit: Circuit, record: Values) -> None:
        self._circuit, self._record = circuit, record
        self._pumps = len(circuit.node) + len(circuit.branches)
        self._actuators = self._pumps + PUMP_SIGNALS * len(circuit.pumps)

    def pressure(self, node: int) -> Values:
        return self._record[:, node] if node >= 0 else np.zeros(len(self._record))

    def pump(self, component: str) -> Values:
        """Flow, leakage, stroke, fill, shaft power; [5, samples]."""
        first = self._pumps + PUMP_SIGNALS * self._circuit.pumps.index(component)
        return self._record[:, first : first + PUMP_SIGNALS].T

    def actuator(self, component: str) -> Values:
        """Position, speed, spool; [3, samples]."""
        names = [section.actuator for section in self._circuit.sections]
        first = self._actuators + 3 * names.index(component)
        return self._record[:, first : first + 3].T

    def temperature(self, number: int) -> Values:
        return self._record[:, number - 3]


def _vibration(circuit: Circuit, plant: Plant, component: str, columns: _Columns) -> Values:
    number = circuit.pumps.index(component)
    _, _, stroke, fill, _ = columns.pump(component)
    load = columns.pressure(circuit.node[component, "outlet"]) / plant.pump_cutoff[0, number]
    shaft = RUNOUT_MM_S * plant.pump_runout[0, number]
    ripple = RIPPLE_MM_S * load * (0.4 + 0.6 * stroke)
    bubbles = CAVITATION_MM_S * 2.0 * (1.0 - fill)
    velocity: Values = np.sqrt(shaft**2 + ripple**2 + bubbles**2)
    return velocity


def _command(
    circuit: Circuit, plant: Plant, actuator: str, columns: _Columns, target: Values
) -> Values:
    """Return what the controller asks of a valve's section, −1 to 1."""
    number = [section.actuator for section in circuit.sections].index(actuator)
    position, stroke = columns.actuator(actuator)[0], plant.actuator_stroke[0, number]
    share = position / stroke if stroke < ENDLESS else position
    off: Values = plant.valve_gain[0, number] * (target[:, number] - share)
    return np.clip(off, -1.0, 1.0)


def _stretch(
    rng: np.random.Generator, samples: int, rate_hz: float, low_s: float, high_s: float
) -> tuple[int, int]:
    return int(rng.integers(samples)), max(1, int(rng.uniform(low_s, high_s) * rate_hz))
