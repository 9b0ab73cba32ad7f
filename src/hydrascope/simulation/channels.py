"""The sensors of a machine that a simulation reads, each at a rate and in a unit of its own."""

from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentType, SensorKind, SensorSpec, SpecError
from hydrascope.schemas.units import Conversion, conversion
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.duty import Commands, Setting
from hydrascope.simulation.sensors import TRUE_UNITS, Observation, Values, true_signal
from hydrascope.simulation.solver import PUMP_SIGNALS, Plant

RATE_HZ = 10.0
"""The rate of what is recorded; that of a sensor is this or a whole part of it."""
PIECE_S = 60.0
"""A recording is simulated piece by piece; each has a whole number of every sensor's samples."""


class Channel(NamedTuple):
    """A sensor that is simulated."""

    component: str
    sensor: SensorSpec
    """With a range, and with the rate at which it is simulated."""
    unit: Conversion
    """From the unit of the true signal to the sensor's own."""

    def truth(self, observation: Observation) -> Values:
        """Return what a perfect sensor would measure [samples], in the sensor's unit."""
        signal = true_signal(observation, self.component, self.sensor)
        scaled: Values = self.unit.scale * signal + self.unit.offset
        return scaled


class Channels(NamedTuple):
    """The sensors of a machine."""

    simulated: tuple[Channel, ...]
    left_out: dict[str, str]
    """The reason why a sensor is not simulated, by sensor id."""


def channels_of(circuit: Circuit, plant: Plant) -> Channels:
    """Return the sensors that a simulation can read, and why it cannot read others."""
    simulated, left_out = [], {}
    nothing = _at_rest(circuit, plant)
    for number, sensor in circuit.machine.topology.sensors:
        component = circuit.machine.topology.components[number].id
        try:
            simulated.append(_channel(nothing, component, sensor))
        except SpecError as error:
            left_out[sensor.id] = str(error)
    return Channels(tuple(simulated), left_out)


def _channel(nothing: Observation, component: str, sensor: SensorSpec) -> Channel:
    """Return a channel.

    Raises:
        SpecError: The sensor cannot be simulated.
    """
    true_signal(nothing, component, sensor)
    turns = nothing.circuit.kinds[component] == ComponentType.HYDRAULIC_MOTOR
    unit = "rad" if turns and sensor.kind == SensorKind.POSITION else TRUE_UNITS[sensor.kind]
    try:
        converted = conversion(unit, sensor.unit)
    except SpecError as error:
        raise SpecError(f"sensor {sensor.id}: {error}") from None
    if sensor.range is None:
        raise SpecError(f"sensor {sensor.id}: its range is missing, and nothing tells it")
    described = sensor.model_copy(update={"rate_hz": _rate_hz(sensor)})
    return Channel(component, described, converted)


def _rate_hz(sensor: SensorSpec) -> float:
    """Return the highest rate at which a sensor can be simulated, at most its own.

    Raises:
        SpecError: It has less than one sample in a piece.
    """
    samples = round(PIECE_S * RATE_HZ)
    for every in range(1, samples + 1):
        if samples % every == 0 and RATE_HZ / every <= sensor.rate_hz * (1.0 + 1e-9):
            return RATE_HZ / every
    raise SpecError(
        f"sensor {sensor.id}: rate_hz: {sensor.rate_hz:g} is not simulated; expected at least "
        f"{1.0 / PIECE_S:g}"
    )


def _at_rest(circuit: Circuit, plant: Plant) -> Observation:
    """Return one sample of a machine in which nothing happens."""
    actuators = len(circuit.sections)
    signals = len(circuit.node) + len(circuit.branches)
    signals += PUMP_SIGNALS * len(circuit.pumps) + 3 * actuators + 3
    still, zeros = np.zeros((1, signals)), np.zeros((1, actuators))
    commands = Commands(zeros, zeros, np.ones((1, len(circuit.pumps), 2)))
    open_loop = np.zeros(actuators, dtype=np.int64)
    return Observation(circuit, plant, Setting(1.0, 1.0, 1.0), still, commands, open_loop)
