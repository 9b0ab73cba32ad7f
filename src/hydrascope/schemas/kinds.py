"""Kinds of components, sensors, lines and materials."""

from enum import StrEnum


class ComponentType(StrEnum):
    """Built-in kinds of components; a machine file can declare more."""

    PUMP = "pump"
    HYDRAULIC_MOTOR = "hydraulic_motor"
    ELECTRIC_MOTOR = "electric_motor"
    COMBUSTION_ENGINE = "combustion_engine"
    CYLINDER = "cylinder"
    DIRECTIONAL_VALVE = "directional_valve"
    PROPORTIONAL_VALVE = "proportional_valve"
    SERVO_VALVE = "servo_valve"
    RELIEF_VALVE = "relief_valve"
    REDUCING_VALVE = "reducing_valve"
    CHECK_VALVE = "check_valve"
    FLOW_CONTROL_VALVE = "flow_control_valve"
    ACCUMULATOR = "accumulator"
    FILTER = "filter"
    COOLER = "cooler"
    HEATER = "heater"
    TANK = "tank"
    MANIFOLD = "manifold"
    LOAD = "load"


class SensorKind(StrEnum):
    """Built-in kinds of sensors; a machine file can declare more."""

    PRESSURE = "pressure"
    FLOW = "flow"
    TEMPERATURE = "temperature"
    VIBRATION = "vibration"
    POWER = "power"
    EFFICIENCY = "efficiency"
    SPEED = "speed"
    VELOCITY = "velocity"
    POSITION = "position"
    TORQUE = "torque"
    FORCE = "force"
    LEVEL = "level"
    CURRENT = "current"
    VOLTAGE = "voltage"
    CONTROL_SIGNAL = "control_signal"
    PARTICLE_COUNT = "particle_count"
    WATER_CONTENT = "water_content"
    VISCOSITY = "viscosity"


SENSOR_UNITS: dict[str, tuple[str, ...]] = {
    SensorKind.PRESSURE: ("bar", "mbar", "Pa", "kPa", "MPa", "psi"),
    SensorKind.FLOW: ("l/min", "l/s", "m3/h", "gal/min"),
    SensorKind.TEMPERATURE: ("degC", "K", "degF"),
    SensorKind.VIBRATION: ("mm/s", "m/s2", "g", "um"),
    SensorKind.POWER: ("W", "kW"),
    SensorKind.EFFICIENCY: ("%", "1"),
    SensorKind.SPEED: ("rpm", "1/s", "rad/s"),
    SensorKind.VELOCITY: ("m/s", "mm/s"),
    SensorKind.POSITION: ("mm", "m", "deg", "rad", "%"),
    SensorKind.TORQUE: ("N m", "kN m"),
    SensorKind.FORCE: ("N", "kN"),
    SensorKind.LEVEL: ("%", "mm", "l"),
    SensorKind.CURRENT: ("A", "mA"),
    SensorKind.VOLTAGE: ("V", "mV"),
    SensorKind.CONTROL_SIGNAL: ("%", "1", "mA", "V"),
    SensorKind.PARTICLE_COUNT: ("1/ml", "ISO 4406"),
    SensorKind.WATER_CONTENT: ("%", "ppm"),
    SensorKind.VISCOSITY: ("mm2/s", "cSt"),
}
"""The accepted units of each built-in kind of sensor, the canonical unit first."""


class EdgeType(StrEnum):
    """Kinds of connections between two components."""

    PRESSURE_LINE = "pressure_line"
    """Oil under working pressure."""
    RETURN_LINE = "return_line"
    """Oil on its way back to the tank."""
    SUCTION_LINE = "suction_line"
    """Oil from the tank to a pump."""
    DRAIN_LINE = "drain_line"
    """Leaked oil on its way to the tank."""
    PILOT_LINE = "pilot_line"
    """Oil that controls a valve or a pump."""
    GAS_LINE = "gas_line"
    """Gas, such as that of an accumulator."""
    MECHANICAL = "mechanical"
    """A shaft or rod, with its diameter and length."""
    LINK = "link"
    """A connection of unknown kind, or whose sizes have no meaning."""


class Material(StrEnum):
    """Wall materials of lines."""

    STEEL = "steel"
    RUBBER = "rubber"
    COMPOSITE = "composite"
    THERMOPLASTIC = "thermoplastic"
