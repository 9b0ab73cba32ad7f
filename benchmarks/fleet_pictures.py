"""A sound and a failing day of each simulated machine, drawn into docs/images/.

`python -m benchmarks.fleet_pictures` writes docs/images/fleet_<kind>.png. A day is what eight
recordings of five minutes, three hours apart, show of it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hydrascope.simulation.build import load_kind
from hydrascope.simulation.faults import Fault
from hydrascope.simulation.fleet import draw_member
from hydrascope.simulation.fleet_settings import KINDS
from hydrascope.simulation.recording import Run
from hydrascope.simulation.trajectory import Course, FaultCourse

IMAGES = Path(__file__).parents[1] / "docs" / "images"
RECORDINGS, MINUTES = 8, 5
SHOWN = {
    "excavator": (Fault.LEAKAGE, "main_pump", "pump_pressure", "drain_flow", "tank_temperature"),
    "injection_moulding": (
        Fault.FLOW_RESTRICTION, "valve", "supply_pressure", "screw_position", "tank_temperature",
    ),
    "machining_centre": (
        Fault.PRESSURE_DROP, "pump", "pump_pressure", "balance_pressure", "motor_power",
    ),
    "robot": (
        Fault.VALVE_STICTION, "servo_block", "shoulder_command", "pump_flow", "tank_temperature",
    ),
}  # fmt: skip
"""What fails in each machine, and three sensors that are looked at."""


def main() -> None:
    """Draw all four."""
    for kind in KINDS:
        path = IMAGES / f"fleet_{kind}.png"
        _draw(kind, path)
        print(path)


def _draw(kind: str, path: Path) -> None:
    fault, component, *sensors = SHOWN[kind]
    sound = draw_member(load_kind(kind), 0, seed=7, fault_rate=0.0, life_h=2_000.0)
    # From a quarter of its way to failure, where it counts as an anomaly, to failure, in a day.
    course = FaultCourse(fault, component, Course.LINEAR, -8.0, 33.0)
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots(len(sensors), 2, sharey="row", sharex="col")
    titles = ("sound", f"failing: {fault.value.replace('_', ' ')} ({component.replace('_', ' ')})")
    for column, (title, courses) in enumerate(zip(titles, ((), (course,)), strict=True)):
        member = replace(sound, courses=courses)
        axes[0, column].set_title(title)
        for recording in range(RECORDINGS):
            hour = 24.0 * recording / RECORDINGS
            pieces = list(Run(member, recording, hour).pieces(60.0 * MINUTES))
            for row, name in enumerate(sensors):
                values = np.concatenate([piece[name] for piece in pieces])
                # Five minutes are drawn as wide as three hours, one after the other.
                at = hour + 24.0 / RECORDINGS * np.linspace(0.02, 0.95, len(values))
                axes[row, column].plot(at, values, linewidth=0.4, color="#1f618d")
    for axis, name in zip(axes[:, 0], sensors, strict=True):
        unit = next(s.unit for _, s in sound.machine.topology.sensors if s.id == name)
        axis.set_ylabel(f"{name.replace('_', ' ')}\n{unit}")
    for axis in axes[-1]:
        axis.set_xlabel("hour of the day (five minutes of every three hours)")
    figure.suptitle(sound.machine.equipment.name)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
