"""The nominal values that a calibration may move, and how far they may be off beforehand."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hydrascope.schemas import ComponentType, Machine, SpecError
from hydrascope.schemas.errors import closest
from hydrascope.simulation.build import Build
from hydrascope.simulation.estimation.draft import Estimate
from hydrascope.simulation.fluid import ISO_GRADES
from hydrascope.simulation.parameters import ACTUATORS, DRIVES, HINTS, QUANTITIES, VALVES

OIL = "oil"
_VISCOSITY = "viscosity_40_c_mm2_s"
_EFFICIENCY = "volumetric_efficiency"
_DIAMETER = "diameter_mm"
_UNKNOWN_OIL = 0.3
"""The spread of the viscosity of an unknown oil: grades are 0.4 apart (ISO 3448)."""

_ACTUATOR = {"friction_share": 0.2, "load_share": 0.1, "process_share": 0.1, "gain": 0.2,
             "leakage_ml_min": 0.4}  # fmt: skip
_VALVE = {"drop_bar": 0.1, "response_s": 0.2, "leakage_ml_min": 0.4, "relief_bar": 0.03,
          "port_relief_bar": 0.03}  # fmt: skip
TOLERANCE: Mapping[str, Mapping[str, float]] = {
    ComponentType.PUMP: {"displacement_cm3": 0.02, "cutoff_bar": 0.03, _EFFICIENCY: 0.3,
                         "friction_bar": 0.2, "friction_share": 0.2, "standby": 0.1,
                         "power_kw": 0.05},
    **dict.fromkeys(VALVES, _VALVE),
    ComponentType.CYLINDER: {"bore_mm": 0.0, "rod_mm": 0.0, "mass_kg": 0.2, **_ACTUATOR},
    ComponentType.HYDRAULIC_MOTOR: {"displacement_cm3": 0.02, "inertia_kg_m2": 0.2, **_ACTUATOR},
    ComponentType.ACCUMULATOR: {"volume_l": 0.03, "precharge_bar": 0.05,
                                "polytropic_exponent": 0.05},
    ComponentType.FILTER: {"drop_bar": 0.1, "bypass_bar": 0.1},
    ComponentType.COOLER: {"drop_bar": 0.1, "kw_per_k": 0.15, "thermostat_c": 0.05},
    ComponentType.RELIEF_VALVE: {"setting_bar": 0.03, "override_bar": 0.2},
    ComponentType.REDUCING_VALVE: {"setting_bar": 0.03, "drop_bar": 0.1},
    ComponentType.FLOW_CONTROL_VALVE: {"drop_bar": 0.1},
    ComponentType.TANK: {"volume_l": 0.05, "w_per_k": 0.3},
    **{drive: {"efficiency": 0.02} for drive in DRIVES},
}  # fmt: skip
"""The values that can be moved, each with the standard deviation of its logarithm if the machine
file gives it; 0: what is given is exact. Of a volumetric efficiency it is that of the losses.

These are tolerances of data sheets and of settings in the field, by judgement. Values that only
move others along are left out, such as a valve's rated flow beside its pressure drop.
"""


class Parameter(NamedTuple):
    """A nominal value that may be moved."""

    part: str
    """The component, a line as `<source> → <target>`, or `OIL`."""
    name: str
    value: float
    """As the machine file or an estimate has it."""
    spread: float
    """The standard deviation of its logarithm beforehand; of a volumetric efficiency that of the
    losses."""
    given: bool
    """Whether the machine file gives it."""
    low: float
    high: float

    @property
    def key(self) -> str:
        """The name that `spreads` of `parameters_of` has for it."""
        return f"{self.part}.{self.name}"

    def moved(self, by: float) -> float:
        """Return the value, moved by so many spreads, within its bounds."""
        factor = math.exp(self.spread * by)
        moved = 1.0 - (1.0 - self.value) * factor if self._of_losses else self.value * factor
        return min(self.high, max(self.low, moved))

    def distance(self, value: float) -> float:
        """Return by how many spreads a value is away."""
        if self._of_losses:
            return math.log((1.0 - value) / (1.0 - self.value)) / self.spread
        return math.log(value / self.value) / self.spread

    @property
    def reach(self) -> tuple[float, float]:
        """The spreads by which the lowest and the highest value are away."""
        if self._of_losses:
            ends = (self.distance(self.high), self.distance(self.low))
        elif self.value > 0.0:
            low = self.distance(self.low) if self.low > 0.0 else -math.inf
            ends = (low, self.distance(self.high))
        else:
            ends = (-math.inf, self.distance(self.low))
        return ends

    @property
    def _of_losses(self) -> bool:
        return self.name == _EFFICIENCY


def parameters_of(build: Build, spreads: Mapping[str, float]) -> list[Parameter]:
    """Return the values of a build that may be moved.

    Args:
        build: The build.
        spreads: Other spreads than the usual ones, by key; 0: the value is exact.

    Raises:
        SpecError: A key is no value that can be moved.
    """
    every = [*_of_components(build), *_of_lines(build), _of_oil(build)]
    known = {each.key for each in every}
    if strange := [key for key in spreads if key not in known]:
        raise SpecError(
            f"--spread {strange[0]}: expected a value that can be moved: "
            f"{', '.join(sorted(known))}{closest(strange[0], sorted(known))}"
        )
    chosen = (each._replace(spread=spreads.get(each.key, each.spread)) for each in every)
    return [each for each in chosen if each.spread > 0.0]


def _of_components(build: Build) -> Iterator[Parameter]:
    estimates = {(each.part, each.name): each for each in build.estimates}
    given = {each.id: each.nominal for each in build.machine.topology.components}
    for component in build.circuit.machine.topology.components:
        for name, tolerance in TOLERANCE.get(component.kind, {}).items():
            value = build.circuit.values[component.id].get(name)
            if value is None or not math.isfinite(value) or value == 0.0:
                continue
            quantity = QUANTITIES[component.kind][name]
            estimate = estimates.get((component.id, name))
            is_given = name in given[component.id]
            spread = tolerance if estimate is None else _spread(estimate)
            if is_given or estimate is not None:
                yield Parameter(
                    component.id, name, value, spread, is_given, quantity.low, quantity.high
                )


def _spread(estimate: Estimate) -> float:
    if estimate.name != _EFFICIENCY:
        return estimate.spread
    return estimate.spread * estimate.value / (1.0 - estimate.value)


def _of_lines(build: Build) -> Iterator[Parameter]:
    for estimate in build.estimates:
        if estimate.name == _DIAMETER:
            low, high = 0.5 * estimate.value, 3.0 * estimate.value
            yield Parameter(
                estimate.part, _DIAMETER, estimate.value, estimate.spread, False, low, high
            )


def _of_oil(build: Build) -> Parameter:
    known = build.machine.equipment.nominal.get(_VISCOSITY)
    value, spread = (ISO_GRADES[46][0], _UNKNOWN_OIL) if known is None else (known, 0.03)
    return Parameter(OIL, _VISCOSITY, value, spread, known is not None, 5.0, 1_000.0)


def moved_machine(
    machine: Machine, parameters: Sequence[Parameter], by: Sequence[float]
) -> Machine:
    """Return a machine with its values moved, each by so many spreads.

    Values that others follow from, such as a pump's flow, are dropped: they would contradict.
    """
    values = {(each.part, each.name): each.moved(x) for each, x in zip(parameters, by, strict=True)}
    components = tuple(
        each.model_copy(update={"nominal": _nominal(each.kind, each.id, each.nominal, values)})
        for each in machine.topology.components
    )
    edges = tuple(
        each.model_copy(update={_DIAMETER: moved})
        if (moved := values.get((f"{each.source} → {each.target}", _DIAMETER))) is not None
        else each
        for each in machine.topology.edges
    )
    nominal = dict(machine.equipment.nominal)
    if (viscosity := values.get((OIL, _VISCOSITY))) is not None:
        nominal |= _oil(nominal, viscosity)
    return machine.model_copy(
        update={
            "equipment": machine.equipment.model_copy(update={"nominal": nominal}),
            "topology": machine.topology.model_copy(
                update={"components": components, "edges": edges}
            ),
        }
    )


def _nominal(
    kind: str, component: str, nominal: Mapping[str, float], values: Mapping[tuple[str, str], float]
) -> dict[str, float]:
    hints = HINTS.get(kind, {})
    kept = {name: value for name, value in nominal.items() if name not in hints}
    moved = {name: value for (part, name), value in values.items() if part == component}
    changed = kept | moved
    if kind in ACTUATORS and "rod_mm" in changed:
        changed["rod_mm"] = min(changed["rod_mm"], 0.95 * changed["bore_mm"])
    return changed


def _oil(nominal: Mapping[str, float], viscosity_40_c: float) -> dict[str, float]:
    """Return an oil's viscosities; ν₁₀₀ follows ν₄₀^0.62, as it does over `ISO_GRADES`."""
    at_40, at_100 = ISO_GRADES[46]
    before = nominal.get(_VISCOSITY, at_40)
    hot = nominal.get("viscosity_100_c_mm2_s", at_100 * (before / at_40) ** 0.62)
    return {
        _VISCOSITY: viscosity_40_c,
        "viscosity_100_c_mm2_s": hot * (viscosity_40_c / before) ** 0.62,
    }
