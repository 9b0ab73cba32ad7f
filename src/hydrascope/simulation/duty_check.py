"""Whether a duty can be that of a machine."""

import math
from collections.abc import Iterator, Mapping

from hydrascope.schemas import ComponentType, SpecError
from hydrascope.schemas.duty import DutyCycle
from hydrascope.schemas.errors import closest
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.limits import supply_limit


def check_duty(duty: DutyCycle, circuit: Circuit, source: str) -> None:
    """Check that a duty can be that of a machine.

    Raises:
        SpecError: A name is no actuator of the machine, an actuator has no initial position, a
            command is beyond what it can be, or a load is more than the pressure can move.
    """
    faults = [f"initial.{name}: missing" for name in circuit.actuators if name not in duty.initial]
    for path, commands in _commands(duty):
        for name, value in commands.items():
            if message := _wrong(circuit, duty, path, name, value):
                faults.append(f"{path}.{name}: {message}")
    faults += _wrong_pumps(circuit, duty)
    if not faults:
        faults += _overloaded(circuit, duty)
    if faults:
        raise SpecError(*faults, source=source)


def _wrong(circuit: Circuit, duty: DutyCycle, path: str, actuator: str, value: float) -> str:
    """Return what is wrong with a command or a load; nothing if it is accepted."""
    known, topology = circuit.actuators, circuit.machine.topology.id
    if actuator not in known:
        return f"expected actuators of {topology}: {', '.join(known)}{closest(actuator, known)}"
    if path.endswith("process"):
        return ""
    if path.endswith("hold") and actuator not in duty.open_loop:
        return "expected one of open_loop"
    if path != "initial" and actuator in duty.open_loop:
        low, expected = -1.0, "an opening of the valve, -1 to 1"
    elif circuit.kinds[actuator] == ComponentType.CYLINDER:
        low, expected = 0.0, "a share of the stroke, 0 to 1"
    else:
        return ""
    return "" if low <= value <= 1.0 else f"{value:g} is not accepted; expected {expected}"


def _wrong_pumps(circuit: Circuit, duty: DutyCycle) -> Iterator[str]:
    """Yield what is wrong with commands of pumps."""
    for number, phase in enumerate(duty.phases):
        for name, command in phase.pumps.items():
            path = f"phases[{number}].pumps.{name}"
            if name not in circuit.pumps:
                known = ", ".join(circuit.pumps)
                yield f"{path}: expected pumps: {known}{closest(name, circuit.pumps)}"
            elif command.pressure < 1.0 and math.isinf(circuit.values[name]["cutoff_bar"]):
                yield f"{path}.pressure: {name} has no cutoff_bar that could be commanded"


def _overloaded(circuit: Circuit, duty: DutyCycle) -> Iterator[str]:
    """Yield each actuator that cannot move its heaviest load."""
    for section in circuit.sections:
        name, values = section.actuator, circuit.values[section.actuator]
        loads = {f"phases[{number}].process.{name}": phase.process[name]
                 for number, phase in enumerate(duty.phases) if name in phase.process}  # fmt: skip
        path, process = max(loads.items(), key=lambda load: load[1], default=("initial", 0.0))
        shares = values["load_share"] + values["friction_share"] + process * values["process_share"]
        needed_bar = values["work_bar"] * shares
        limit = supply_limit(circuit, section.valve)
        if needed_bar > limit.pressure_bar:
            yield (
                f"{path}: {name} needs {needed_bar:.3g} bar for its load, but {limit.component} "
                f"lets its pressure rise to {limit.pressure_bar:g} bar"
            )


def _commands(duty: DutyCycle) -> Iterator[tuple[str, Mapping[str, float]]]:
    yield "initial", duty.initial
    yield "open_loop", dict.fromkeys(duty.open_loop, 0.0)
    for number, phase in enumerate(duty.phases):
        for name in ("to", "hold", "process"):
            yield f"phases[{number}].{name}", getattr(phase, name)
