"""The changes that a fault makes on the real rig, beside the simulated ones.

This shows which signals the simulation gets wrong. It reads labels of real faults, so nothing is
chosen by it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure as Picture

from hydrascope.evaluation.bootstrap import Array
from hydrascope.simulation.build import DUTY_FILE, read_build
from hydrascope.simulation.calibration.forward import span
from hydrascope.telemetry.rig.cycles import SOUND, State, cycle, draw_rig
from hydrascope.telemetry.rig.recorded import RecordedRig
from hydrascope.telemetry.rig.severities import GRADES, REFERENCE, label_of

AMBIENT_C = 20.0


class Change(NamedTuple):
    """The change of a sensor by a component's worst grade, in the sensor's unit."""

    fault: str
    sensor: str
    unit: str
    span: float
    real: Array
    """[seconds], the mean of cycles in which the others are as new, less that of the references."""
    simulated: Array
    """[seconds]"""

    @property
    def sizes(self) -> tuple[float, float]:
        """The root mean squares of both, in % of the sensor's range: real and simulated."""
        real, simulated = (
            100.0 * float(np.sqrt(np.mean(each**2))) / self.span
            for each in (self.real, self.simulated)
        )
        return real, simulated

    @property
    def likeness(self) -> float:
        """The cosine of the angle between both: 1 if they have one shape and sign."""
        norm = float(np.linalg.norm(self.real) * np.linalg.norm(self.simulated))
        return float(self.real @ self.simulated) / norm if norm > 0.0 else np.nan


def changes(machine_file: Path) -> list[Change]:
    """Return the changes of all sensors by each fault."""
    build = read_build(machine_file, machine_file.with_name(DUTY_FILE))
    rig = draw_rig(build, 0.0, np.random.default_rng(0))
    sound, recorded = cycle(rig, State(SOUND, AMBIENT_C)), _recorded(machine_file)
    found = []
    for fault in GRADES:
        faulty = cycle(rig, State({**SOUND, fault: 1.0}, AMBIENT_C))
        for channel in build.channels:
            name = channel.sensor.id
            found.append(
                Change(
                    fault, name, channel.sensor.unit, span(channel),
                    recorded[fault][name] - recorded[REFERENCE][name], faulty[name] - sound[name],
                )
            )  # fmt: skip
    return found


def _recorded(machine_file: Path) -> Mapping[str, Mapping[str, Array]]:
    """Return the mean cycle of each sensor, of the references and of each single fault."""
    source = RecordedRig(str(machine_file))
    (name,) = source.machines()
    (extent,) = source.extents(name)
    signals, table = source.read(name, extent), source.labels(name)
    severity = {fault: table[label_of(fault)].to_numpy() for fault in GRADES}
    rows = {REFERENCE: table[REFERENCE].to_numpy() == 1.0}
    for fault, own in severity.items():
        others = [each == 0.0 for other, each in severity.items() if other != fault]
        rows[fault] = np.all([own == 1.0, *others], axis=0)
    cycles = {
        sensor: signal.values.reshape(len(table), -1).astype(np.float64)
        for sensor, signal in signals.items()
    }
    return {
        state: {sensor: each[chosen].mean(axis=0) for sensor, each in cycles.items()}
        for state, chosen in rows.items()
    }


def draw(found: list[Change], path: Path) -> None:
    """Draw the changes of all faults and sensors, real and simulated."""
    sensors = list(dict.fromkeys(each.sensor for each in found))
    faults = list(dict.fromkeys(each.fault for each in found))
    picture = Picture(figsize=(12, 1.5 * len(sensors)), layout="constrained")
    axes = picture.subplots(len(sensors), len(faults), sharex=True)
    for each in found:
        axis = axes[sensors.index(each.sensor), faults.index(each.fault)]
        axis.plot(each.real, color="black", label="real", linewidth=1.0)
        axis.plot(each.simulated, color="tab:orange", label="simulated", linewidth=1.0)
        axis.axhline(0.0, color="lightgrey", linewidth=0.5)
        if each.sensor == sensors[0]:
            axis.set_title(f"{each.fault}, worst grade")
        if each.fault == faults[0]:
            axis.set_ylabel(f"{each.sensor} / {each.unit}")
    axes[0, 0].legend(fontsize="small")
    for axis in axes[-1]:
        axis.set_xlabel("time in the cycle / s")
    picture.savefig(path, dpi=70)
