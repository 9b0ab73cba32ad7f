"""The evidence of sensors in windows with a fault, beside healthy ones of the same machine.

A machine is learned by its healthy windows, as a user's would be, and has the sensors that its
owner happened to buy. In half of the machines, components other than the one that is looked for
may be faulty in any window, so that their faults are part of what is normal.

Shapes: W windows, S sensors, T steps, F features, C components that can have a fault.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks._blame_builds import BuildDraw, Kind
from benchmarks._blame_recordings import Blamed, Machine, faults_of, measurable, record
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.models.blame.evidence import HealthyEvidence, raw_evidence
from hydrascope.models.blame.places import family_of
from hydrascope.models.detectors.mahalanobis import sensor_parts
from hydrascope.models.whitening import FeatureMoments, Whitening
from hydrascope.schemas import ComponentType, EdgeType, GraphTopology, SensorKind, SensorSpec
from hydrascope.simulation.build import load_kind
from hydrascope.simulation.duty import Operator, Setting
from hydrascope.simulation.fleet import draw_member
from hydrascope.simulation.fleet_settings import KINDS
from hydrascope.simulation.parameters import VALVES

SEED = 24
RANDOM = "random"
"""Stands for the kind of builds drawn at random."""
STEP_S = 6
_FEATURES = FeatureConfig(percentiles=())
_MEAN, _SPREAD = (_FEATURES.sensor_feature_names.index(name) for name in ("mean", "std"))
_PARTS = 4
"""The parts of the healthy windows, each of which is judged by what the others taught."""
_LEVEL_SHARE = 0.1
_MOST_COMPONENTS, _MOST_WINDOWS, _FEWEST = 5, 60, 8
_SENSORS = (7, 22)
_RARE = (SensorKind.CONTROL_SIGNAL, SensorKind.SPEED, SensorKind.VISCOSITY)

Measured = tuple[tuple[str, SensorSpec], ...]
Rows = NDArray[np.int64]


class Case(NamedTuple):
    """Windows of one machine in which the same component is faulty."""

    kind: str
    """The kind of machine, or `RANDOM`."""
    machine: int
    topology: GraphTopology
    evidence: Tensor
    """[W, S, 4]"""
    observed: Tensor
    """[W, S] bool"""
    faulty: int
    """The number of the faulty component."""
    faults: tuple[str, ...]
    """The fault in each window."""
    detected: Tensor
    """True if the machine's score exceeds those of 95 % of its healthy windows, [W] bool."""

    @property
    def family(self) -> int:
        """The family of the faulty component, as a row of `FAMILIES`."""
        return family_of(self.topology.components[self.faulty].kind)


def cases(number: int, windows: int) -> Iterator[Case]:
    """Simulate machine `number` and yield its cases; every fourth is one of the fleet's kinds."""
    rng = np.random.default_rng((SEED, number))
    known = KINDS[number // 4 % len(KINDS)] if number % 4 == 1 else None
    kind = BuildDraw(rng, f"build_{number}").build() if known is None else Kind.of(load_kind(known))
    possible = faults_of(kind.circuit)
    names = _looked_for(kind, list(possible), rng)
    mixed = bool(rng.random() < 0.5)
    blamed = [_draw_faults(names, possible, mixed, rng) for _ in range(windows)]
    if mixed:  # a machine's component wears in one way
        way = {name: str(rng.choice(possible[name])) for name in names}
        blamed = [[each._replace(fault=way[each.component]) for each in row] for row in blamed]
    machine = _machine(kind, known, number, rng)
    readings, measured = _with_virtual(kind, record(machine, blamed, rng), machine.sensors)
    for _ in range(2):
        chosen, places = _bought(kind, measured, rng)
        topology = _topology(
            kind, [(at, measured[n][1]) for n, at in zip(chosen, places, strict=True)]
        )
        features = _features(readings[:, _order(topology, measured)])
        for name in names:
            found = _case(features, blamed, name, mixed, rng)
            if found is not None:
                faulty = topology.component_index[name]
                yield Case(known or RANDOM, number, topology, *found[:2], faulty, *found[2:])


def _looked_for(kind: Kind, possible: list[str], rng: np.random.Generator) -> list[str]:
    """Return the components whose faults are looked for: the accumulators first, then others.

    They have no sensors, and half of their losses of gas show in none.
    """
    drawn = [str(name) for name in rng.permutation(possible)]
    drawn.sort(key=lambda name: kind.circuit.kinds[name] is not ComponentType.ACCUMULATOR)
    return drawn[:_MOST_COMPONENTS]


def _machine(kind: Kind, known: str | None, number: int, rng: np.random.Generator) -> Machine:
    if known is None:
        plant = kind.nominal._replace(
            valve_stiction=0.025 * np.exp(rng.normal(0.0, 0.12, kind.nominal.valve_stiction.shape))
        )
    else:
        plant = draw_member(
            load_kind(known), number, seed=SEED, fault_rate=0.0, life_h=1_000.0
        ).plant
    setting = Setting.draw(kind.setting, rng) if rng.random() < 0.5 else None
    pace, load = np.exp(rng.normal(0.0, (0.12, 0.15)))
    operator = Operator(float(pace), float(load), scatter=float(rng.choice([0.02, 0.08])))
    return Machine(kind, plant, tuple(measurable(kind)), setting, operator, (SEED, number))


def _draw_faults(
    names: Sequence[str], possible: dict[str, list[str]], mixed: bool, rng: np.random.Generator
) -> list[Blamed]:
    """Return the faults of one window: of any components, or of one in every other window."""
    if mixed:
        grades = rng.integers(1, 4, len(names)) / 3.0
        hit = rng.random(len(names)) < 0.45
        return [
            Blamed(name, "", float(grade))
            for name, grade, yes in zip(names, grades, hit, strict=True)
            if yes
        ]
    if rng.random() < 0.5:
        return []
    name = names[int(rng.integers(len(names)))]
    return [Blamed(name, str(rng.choice(possible[name])), float(rng.uniform(0.2, 1.0)))]


def _with_virtual(
    kind: Kind, readings: NDArray[np.float32], measured: Measured
) -> tuple[NDArray[np.float32], Measured]:
    """Add what control systems compute: efficiencies of pumps and coolers, power of coolers."""
    at = {(name, each.kind, each.position): n for n, (name, each) in enumerate(measured)}
    drives = {edge.target: edge.source for edge in kind.circuit.machine.topology.edges
              if edge.kind is EdgeType.MECHANICAL}  # fmt: skip
    more: list[NDArray[np.float32]] = []
    named: list[tuple[str, SensorSpec]] = []

    def add(component: str, quantity: SensorKind, unit: str, values: NDArray[np.float32]) -> None:
        name = f"virtual_{len(named)}"
        named.append((component, SensorSpec(id=name, kind=quantity, unit=unit, rate_hz=1.0)))
        more.append(values[:, None])

    flow = None
    for pump in kind.circuit.pumps:
        flow = readings[:, at[pump, SensorKind.FLOW, "outlet"]]
        power = readings[:, at[drives[pump], SensorKind.POWER, None]].clip(min=1e-3)
        hydraulic_kw = readings[:, at[pump, SensorKind.PRESSURE, "outlet"]] * flow / 600.0
        add(pump, SensorKind.EFFICIENCY, "%", 100.0 * (hydraulic_kw / power).clip(0.0, 2.0))
    for name, quantity, position in list(at):
        if quantity == SensorKind.TEMPERATURE and position == "coolant" and flow is not None:
            inlet, outlet, coolant = (
                readings[:, at[name, quantity, each]] for each in ("inlet", "outlet", "coolant")
            )
            share = (inlet - outlet) / (inlet - coolant).clip(min=1.0)
            add(name, SensorKind.EFFICIENCY, "%", 100.0 * share)
            # Of a litre of oil per minute, 1.67 MJ/(m3 K) take 1 kW per 36 K.
            add(name, SensorKind.POWER, "kW", (inlet - outlet) * flow / 36.0)
    return np.concatenate([readings, *more], axis=1), (*measured, *named)


def _bought(
    kind: Kind, measured: Measured, rng: np.random.Generator
) -> tuple[list[int], list[str]]:
    """Return the sensors that the machine has, and on which component each is said to be."""
    count = int(rng.integers(_SENSORS[0], min(_SENSORS[1], len(measured)) + 1))
    weight = np.array([0.35 if each.kind in _RARE or each.position == "drain" else 1.0
                       for _, each in measured])  # fmt: skip
    chosen = np.sort(rng.choice(len(measured), count, replace=False, p=weight / weight.sum()))
    places = []
    for number in chosen:
        name, sensor = measured[number]
        lines = kind.circuit.machine.topology.edges
        if sensor.kind == SensorKind.VIBRATION and rng.random() < 0.4:
            name = next(
                e.source for e in lines if e.target == name and e.kind is EdgeType.MECHANICAL
            )
        elif sensor.kind == SensorKind.FLOW and sensor.position == "outlet" and rng.random() < 0.35:
            fed = (e.target for e in lines if e.source == name and e.kind is EdgeType.PRESSURE_LINE)
            name = next((each for each in fed if kind.circuit.kinds[each] in VALVES), name)
        places.append(name)
    return [int(number) for number in chosen], places


def _topology(kind: Kind, sensors: Sequence[tuple[str, SensorSpec]]) -> GraphTopology:
    topology = kind.circuit.machine.topology
    components = tuple(
        each.model_copy(update={"sensors": tuple(s for at, s in sensors if at == each.id)})
        for each in topology.components
    )
    return GraphTopology(id=topology.id, components=components, edges=topology.edges)


def _order(topology: GraphTopology, measured: Measured) -> list[int]:
    """Return the row of each of the topology's sensors among the measured ones."""
    row = {sensor.id: number for number, (_, sensor) in enumerate(measured)}
    return [row[sensor.id] for _, sensor in topology.sensors]


def _features(readings: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Return the features [W, T, S, F] and whether they were observed, [W, T, S]."""
    by_step = torch.unflatten(torch.from_numpy(readings).double(), -1, (-1, STEP_S))
    samples = by_step.transpose(1, 2)
    engineer = FeatureEngineer(_FEATURES)
    return engineer(samples, 1.0), engineer.observed(samples)


def _case(
    features: tuple[Tensor, Tensor],
    blamed: Sequence[Sequence[Blamed]],
    name: str,
    mixed: bool,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, tuple[str, ...], Tensor] | None:
    """Return evidence, observed, faults and detected; None if the fault is hardly ever seen."""
    mine = [next((each for each in row if each.component == name), None) for row in blamed]
    faulty = np.flatnonzero([each is not None for each in mine])
    sound = [each is None if mixed else not row for each, row in zip(mine, blamed, strict=True)]
    healthy = rng.permutation(np.flatnonzero(sound))
    parts = np.array_split(healthy, _PARTS)
    held_out = torch.cat([_evidence(features, np.setdiff1d(healthy, part), part) for part in parts])
    raw = _evidence(features, healthy, faulty)
    limit = _scores(held_out).quantile(0.95)
    detected = _scores(raw) > limit
    if len(faulty) < _FEWEST or detected.double().mean() < 0.12:
        return None
    near = np.flatnonzero((_scores(raw) > _scores(held_out).quantile(0.8)).numpy())
    kept = torch.from_numpy(rng.permutation(near)[:_MOST_WINDOWS])
    evidence, observed = HealthyEvidence.of(held_out).compare(raw[kept])
    faults = (mine[each] for each in faulty[kept])
    named = tuple(each.fault for each in faults if each is not None)
    return evidence.float(), observed, named, detected[kept]


def _scores(raw: Tensor) -> Tensor:
    """Return the scores of machines [W] from the evidence of their sensors."""
    return (raw[..., 0] + _LEVEL_SHARE * raw[..., 1]).nanmean(-1)


def _evidence(features: tuple[Tensor, Tensor], learned: Rows, judged: Rows) -> Tensor:
    """Return the raw evidence of windows by what others taught, [W, S, 4]."""
    values, observed = features
    known = observed[learned].unsqueeze(-1)
    count = known.sum((0, 1)).clamp(min=1)
    center = (values[learned] * known).sum((0, 1)) / count
    spread = (((values[learned] - center) * known).square().sum((0, 1)) / count).sqrt()
    scaled = ((values - center) / spread.clamp(min=1e-9)) * observed.unsqueeze(-1)
    sensors, features_each = scaled.shape[2:]
    moments = FeatureMoments(1, 1, sensors, features_each)
    steps = torch.zeros(scaled.shape[1], dtype=torch.int64)
    none = torch.zeros(len(learned), dtype=torch.int64)
    moments.update(none, steps, scaled[learned].flatten(2), observed[learned])
    whitening = Whitening.of(moments).matrix[0, 0]
    white = scaled[judged].flatten(2) @ whitening
    white = torch.unflatten(white, -1, (sensors, features_each))
    seen = observed[judged].transpose(1, 2).flatten(0, 1)
    by_sensor = (white * observed[judged].unsqueeze(-1)).transpose(1, 2).flatten(0, 1)
    own = scaled[judged].transpose(1, 2).flatten(0, 1)
    parts = sensor_parts(by_sensor, seen, robust=True)
    raw = raw_evidence(parts, own[..., _MEAN], own[..., _SPREAD], seen)
    return torch.unflatten(raw, 0, (len(judged), sensors))
