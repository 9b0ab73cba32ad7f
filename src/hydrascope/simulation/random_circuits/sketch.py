"""A machine file that is being drawn: components, lines and their sizes by series."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hydrascope.schemas import ComponentType, EdgeType, Machine, validate
from hydrascope.simulation.estimation.lines import VELOCITY_M_S
from hydrascope.simulation.estimation.series import HOSES_MM, PREFERRED, at_least

_LENGTH_M: Mapping[EdgeType, tuple[float, float]] = {
    EdgeType.SUCTION_LINE: (0.3, 1.2),
    EdgeType.RETURN_LINE: (0.5, 4.0),
    EdgeType.PRESSURE_LINE: (0.5, 6.0),
}
"""The shortest and longest lines."""
_SHORT_M = (0.2, 0.8)
"""Those between neighbours, such as a pump and its accumulator."""
_STEEL_N_MM2 = 20.0
"""The shear stress of a shaft at its rated torque."""


class Sketch:
    """A machine that is being drawn.

    Args:
        rng: The source of lengths and materials.
        mobile: Whether it is a mobile machine, whose lines to actuators are hoses.
    """

    def __init__(self, rng: np.random.Generator, mobile: bool) -> None:
        self._rng, self._mobile = rng, mobile
        self._components: dict[str, dict[str, Any]] = {}
        self._edges: list[dict[str, Any]] = []

    def add(self, name: str, kind: ComponentType, **nominal: float) -> str:
        """Add a component with its nominal values, of three digits; return its name."""
        values = {key: _three_digits(value) for key, value in nominal.items()}
        self._components[name] = {"id": name, "kind": kind, "nominal": values, "sensors": []}
        return name

    def set_nominal(self, component: str, name: str, value: float) -> None:
        """Set a nominal value that is known only once others have been added."""
        self._components[component]["nominal"][name] = _three_digits(value)

    def add_sensor(self, component: str, sensor: Mapping[str, Any]) -> None:
        """Add a sensor to a component."""
        self._components[component]["sensors"].append(dict(sensor))

    def join(
        self, source: str, target: str, kind: EdgeType, flow_l_min: float, *, short: bool = False
    ) -> None:
        """Add a line that is wide enough for its flow; `short` between neighbours."""
        area_m2 = flow_l_min / 6e4 / VELOCITY_M_S[kind]
        low, high = _SHORT_M if short else _LENGTH_M[kind]
        hose = not short and self._rng.random() < (0.7 if self._mobile else 0.3)
        line: dict[str, Any] = {
            "diameter_mm": at_least(HOSES_MM, 1e3 * math.sqrt(4.0 * area_m2 / math.pi)),
            "length_m": round(float(self._rng.uniform(low, high)), 1),
            "material": "rubber" if hose else "steel",
        }
        self._edges.append({"source": source, "target": target, "kind": kind, **line})

    def couple(self, drive: str, pump: str, torque_nm: float) -> None:
        """Add a shaft that is thick enough for its torque."""
        diameter_mm = (16.0 / math.pi * 1e3 * torque_nm / _STEEL_N_MM2) ** (1.0 / 3.0)
        self._edges.append({
            "source": drive, "target": pump, "kind": EdgeType.MECHANICAL,
            "diameter_mm": float(math.ceil(max(diameter_mm, 12.0))),
            "length_m": 0.2, "material": "steel",
        })  # fmt: skip

    def of_kind(self, *kinds: ComponentType) -> list[str]:
        """Return the components of some kinds, in the order in which they were added."""
        return [name for name, each in self._components.items() if each["kind"] in kinds]

    def kind(self, component: str) -> ComponentType:
        """Return the kind of a component."""
        kind: ComponentType = self._components[component]["kind"]
        return kind

    def nominal(self, component: str) -> Mapping[str, float]:
        """Return the nominal values of a component."""
        values: Mapping[str, float] = self._components[component]["nominal"]
        return values

    def sources(self, component: str) -> list[str]:
        """Return the components from which lines and shafts lead to one."""
        return [edge["source"] for edge in self._edges if edge["target"] == component]

    def targets(self, component: str) -> list[str]:
        """Return the components to which lines and shafts lead from one."""
        return [edge["target"] for edge in self._edges if edge["source"] == component]

    def machine(self, name: str, title: str, pressure_bar: float) -> Machine:
        """Return the machine, whose build is called `name`."""
        for edge in self._edges:
            if edge["kind"] is EdgeType.PRESSURE_LINE:
                edge["pressure_rating_bar"] = at_least(PREFERRED, 1.2 * pressure_bar)
        return validate(
            Machine,
            {
                "equipment": {
                    "equipment_id": name,
                    "name": title,
                    "nominal": {"pressure_bar": pressure_bar},
                },
                "topology": {
                    "id": name,
                    "components": list(self._components.values()),
                    "edges": self._edges,
                },
            },
        )


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}") if value < 1e3 else float(round(value))
