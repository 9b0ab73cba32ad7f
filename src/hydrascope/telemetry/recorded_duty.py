"""A duty taken from the commands that a real machine was recorded with."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import ComponentType, Machine, SensorKind, SensorSpec, SpecError
from hydrascope.schemas.duty import DutyCycle, Phase
from hydrascope.schemas.errors import closest
from hydrascope.schemas.machine_file import machines_in
from hydrascope.schemas.units import conversion
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.estimation.complete import complete
from hydrascope.telemetry.parquet import ParquetSource
from hydrascope.telemetry.source import Signal

Values = NDArray[np.float64]

_RATE_HZ = 10.0
"""The rate at which commands are compared; that of the simulation's records."""
_TOLERANCE = 0.005
"""How far a duty may be from the recorded commands, as a share of stroke or opening (of a rad)."""
_LONGEST_S = 3_600.0
_UNKNOWN_POSITION = 0.5
"""Where an actuator begins whose position was not recorded."""


class _Command(NamedTuple):
    """A recorded command."""

    actuator: str
    sensor: SensorSpec
    opening: bool
    """Whether it is a valve's opening, not a position."""
    scale: float
    """From the sensor's unit to a share of the stroke, rad, or an opening."""


def recorded_duty(
    machine_file: Path, folder: Path, sensors: Sequence[str] = (), time_zone: str | None = None
) -> DutyCycle:
    """Return the duty of a machine as recorded, of one hour at most.

    A position that was recorded becomes the target of its actuator. The command of a valve, if
    there is no position or if it is named, becomes the opening. Between its phases the duty is
    linear, and nowhere further than half a percent from what was recorded. The load follows from
    the pressure in chamber A; without such a sensor, it is the full process load of an actuator
    that moves out. One that moves back has none.

    Args:
        machine_file: The machine.
        folder: Telemetry as `ParquetSource` reads it.
        sensors: The sensors whose values are commands; none: one of each actuator.
        time_zone: Zone of times that have none.

    Raises:
        SpecError: A file is wrong, or nothing was recorded that commands an actuator.
    """
    name = machines_in(machine_file)[0].equipment.equipment_id
    source = ParquetSource(folder, machines=str(machine_file), time_zone=time_zone)
    if not (extents := source.extents(name)):
        raise SpecError(f"{folder}: no telemetry of {name}")
    extent = max(extents, key=lambda each: each.duration)
    seconds = extent.duration.total_seconds()
    return duty_of(machine_file, source.read(name, extent), seconds, sensors)


def duty_of(
    machine_file: Path, signals: Mapping[str, Signal], seconds: float, sensors: Sequence[str] = ()
) -> DutyCycle:
    """Return the duty of a machine during a recording, as `recorded_duty` does.

    Args:
        machine_file: The machine.
        signals: What was recorded, by sensor id, in the units of the machine file.
        seconds: The length of the recording; an hour of it is used at most.
        sensors: See `recorded_duty`.

    Raises:
        SpecError: The machine cannot work, or nothing was recorded that commands an actuator.
    """
    machine = machines_in(machine_file)[0]
    circuit = build_circuit(complete(machine).machine, str(machine_file))
    every = _every_command(circuit)
    commands = _chosen(circuit, every, sensors, str(machine_file))
    times_s = np.arange(0.0, min(seconds, _LONGEST_S), 1.0 / _RATE_HZ)
    values = np.stack([_values(each, signals, times_s) for each in commands], axis=-1)
    loads = [_load(circuit, each.actuator, machine, signals, times_s) for each in commands]
    initial = dict.fromkeys(circuit.actuators, _UNKNOWN_POSITION)
    for each in every:
        if not each.opening and (found := _at(signals.get(each.sensor.id), times_s)) is not None:
            initial[each.actuator] = _share(each, found)[0]
    return DutyCycle(
        initial={name: round(float(value), 4) for name, value in initial.items()},
        open_loop=tuple(each.actuator for each in commands if each.opening),
        phases=tuple(_phases(commands, times_s, values, loads)),
    )


def _every_command(circuit: Circuit) -> list[_Command]:
    components = circuit.machine.topology.components
    return [
        command
        for number, sensor in circuit.machine.topology.sensors
        if (command := _command(circuit, components[number].id, sensor)) is not None
    ]


def _chosen(
    circuit: Circuit, every: Sequence[_Command], named: Sequence[str], source: str
) -> list[_Command]:
    """Return the command of each actuator."""
    known = [each.sensor.id for each in every]
    faults = [
        f"--command {name}: expected a position of an actuator or a command of a valve: "
        f"{', '.join(known)}{closest(name, known)}"
        for name in named
        if name not in known
    ]
    chosen = []
    for actuator in circuit.actuators:
        mine = [each for each in every if each.actuator == actuator]
        mine.sort(key=lambda each: (each.sensor.id not in named, each.opening))
        if not mine:
            faults.append(
                f"{actuator}: nothing commands it; expected a position sensor, or a control_signal "
                f"of its valve with position: {actuator}"
            )
        chosen += mine[:1]
    if faults:
        raise SpecError(*faults, source=source)
    return chosen


def _command(circuit: Circuit, component: str, sensor: SensorSpec) -> _Command | None:
    """Return the command that a sensor shows; None if it shows none."""
    if sensor.kind == SensorKind.CONTROL_SIGNAL and sensor.unit in ("%", "1"):
        moved = circuit.moved_by(component, sensor.position)
        if moved is not None:
            scale = conversion(sensor.unit, "1").scale
            return _Command(circuit.actuators[moved], sensor, True, scale)
    if sensor.kind == SensorKind.POSITION and component in circuit.actuators:
        if circuit.kinds[component] == ComponentType.CYLINDER:
            if sensor.unit == "%":
                return _Command(component, sensor, False, 0.01)
            if sensor.unit in ("mm", "m"):
                scale = conversion(sensor.unit, "mm").scale
                stroke = circuit.values[component]["stroke_mm"]
                return _Command(component, sensor, False, scale / stroke)
        elif sensor.unit in ("rad", "deg"):
            return _Command(component, sensor, False, conversion(sensor.unit, "rad").scale)
    return None


def _values(command: _Command, signals: Mapping[str, Signal], times_s: Values) -> Values:
    """Return a command at some times [samples], as a duty has it."""
    found = _at(signals.get(command.sensor.id), times_s)
    if found is None:
        raise SpecError(f"telemetry: {command.sensor.id} has no value, but commands are wanted")
    return _share(command, found)


def _share(command: _Command, recorded: Values) -> Values:
    """Return recorded values of a command as a duty has them."""
    values = command.scale * recorded
    if command.opening:
        return np.clip(values, -1.0, 1.0)
    return values if command.sensor.unit in ("rad", "deg") else np.clip(values, 0.0, 1.0)


def _load(
    circuit: Circuit,
    actuator: str,
    machine: Machine,
    signals: Mapping[str, Signal],
    times_s: Values,
) -> Values | None:
    """Return the share of the process load [samples] by the pressure in chamber A, if measured."""
    values = circuit.values[actuator]
    component = next(each for each in machine.topology.components if each.id == actuator)
    for sensor in component.sensors:
        if sensor.kind != SensorKind.PRESSURE or sensor.position not in (None, "a"):
            continue
        pressure = _at(signals.get(sensor.id), times_s)
        if pressure is not None and values["process_share"] > 0.0:
            shares = pressure * conversion(sensor.unit, "bar").scale / values["work_bar"]
            rest = shares - values["load_share"] - values["friction_share"]
            return np.clip(rest / values["process_share"], 0.0, 1.0)
    return None


def _at(signal: Signal | None, times_s: Values) -> Values | None:
    """Return a signal at some times, gaps filled linearly; None without any value."""
    if signal is None or not (known := np.isfinite(signal.values)).any():
        return None
    samples_s = np.arange(len(signal.values)) / signal.rate_hz
    return np.interp(times_s, samples_s[known], signal.values[known].astype(np.float64))


def _phases(
    commands: Sequence[_Command], times_s: Values, values: Values, loads: Sequence[Values | None]
) -> Iterator[Phase]:
    """Yield the phases between whose ends straight lines are near the commands."""
    knots = simplified(times_s, values, _TOLERANCE)
    # Positions begin where they are; openings begin with their first value.
    first = {each.actuator: round(float(value), 4)
             for each, value in zip(commands, values[0], strict=True) if each.opening}  # fmt: skip
    for number, (start, end) in enumerate(pairwise(knots)):
        process = {}
        for column, (command, load) in enumerate(zip(commands, loads, strict=True)):
            change = values[end, column] - values[start, column]
            motion = values[start:end, column].mean() if command.opening else change
            share = float(motion > 0.0) if load is None else float(load[start:end].mean())
            if share > 0.0 and motion >= -_TOLERANCE:
                process[command.actuator] = round(share, 3)
        to = {each.actuator: round(float(value), 4)
              for each, value in zip(commands, values[end], strict=True)}  # fmt: skip
        duration_s = round(float(times_s[end] - times_s[start]), 3)
        yield Phase(
            name=f"{number + 1}",
            duration_s=duration_s,
            to=to,
            hold={} if number else first,
            process=process,
        )


def simplified(times: Values, values: Values, tolerance: float) -> list[int]:
    """Return the samples between which straight lines are near a curve (Ramer, Douglas, Peucker).

    Args:
        times: Ascending times [samples].
        values: The curve [samples, axes].
        tolerance: The largest distance on any axis.
    """
    kept, spans = {0, len(times) - 1}, [(0, len(times) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        share = (times[first:last] - times[first]) / (times[last] - times[first])
        line = values[first] + share[:, None] * (values[last] - values[first])
        off = np.abs(values[first:last] - line).max(axis=-1)
        worst = first + int(off.argmax())
        if off.max() > tolerance:
            kept.add(worst)
            spans += [(first, worst), (worst, last)]
    return sorted(kept)
