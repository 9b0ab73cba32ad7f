"""Two builds of machines and their windows, for the tests of rows."""

import torch
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs, SensorReference, WindowFields
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.schemas import GraphTopology, HeadSpec, validate

FEATURES = ("mean", "std", "kurtosis", "log_level")


STEPS = 3


def sensor(name: str, kind: str, unit: str, **fields: object) -> dict[str, object]:
    return {"id": name, "kind": kind, "unit": unit, "rate_hz": 1.0, **fields}


def topology(name: str, span: float, *, valve: bool) -> GraphTopology:
    """A pump, a tank and a drive of some kind."""
    bar = {"range": [0.0, span], "position": "outlet"}
    components = [
        {"id": "pump", "kind": "pump", "sensors": [sensor("p", "pressure", "bar", **bar)]},
        {"id": "tank", "kind": "tank", "sensors": [sensor("t", "temperature", "degC")]},
        {"id": "drive", "kind": "cylinder" if valve else "hydraulic_motor", "sensors": []},
    ]
    if valve:
        named = {"range": [-100.0, 100.0], "position": "boom"}
        command = sensor("c", "control_signal", "%", **named)
        components.append({"id": "valve", "kind": "servo_valve", "sensors": [command]})
    line = {"kind": "pressure_line", "diameter_mm": 10, "length_m": 1, "material": "steel"}
    edges = [{**line, "source": "pump", "target": each["id"]} for each in components[1:]]
    return validate(GraphTopology, {"id": name, "components": components, "edges": edges})


BUILDS = (topology("press", 300.0, valve=True), topology("robot", 60.0, valve=False))


SPEC = InputSpec.of(BUILDS, FEATURES, STEPS, ["leaks", "wear"])


LEAKS = {"name": "leaks", "level": "component", "kind": "multi_label", "labels": ["a", "b"]}


HEADS = [
    validate(HeadSpec, LEAKS),
    validate(HeadSpec, {"name": "wear", "level": "component", "kind": "regression"}),
    validate(HeadSpec, {"name": "life", "level": "machine", "kind": "regression"}),
]


def batch(build: int, x: Tensor, reference: Tensor, seen: Tensor | None = None) -> GraphInputs:
    """Windows [W, S, T, F] of a build, reference [S, T, F]."""
    return windows_of(GraphLayout.of(BUILDS[build], SPEC, HEADS), x, reference, seen)


def windows_of(
    layout: GraphLayout, x: Tensor, reference: Tensor, seen: Tensor | None = None
) -> GraphInputs:
    seen = torch.ones(x.shape[:3], dtype=torch.bool) if seen is None else seen
    lines, none = layout.edge_index.shape[1], x.new_zeros(len(x), 0, STEPS, 0)
    line = none.expand(len(x), 0, STEPS, 0).new_zeros(len(x), lines, STEPS, 0)
    machine = x.new_zeros(len(x), STEPS, 0)
    fields = WindowFields(x, seen, line, line.bool(), machine, machine.bool())
    known = torch.ones(reference.shape[:2], dtype=torch.bool)
    return layout.batch(fields, SensorReference(reference, known))


def drawn(build: int, windows: int = 400) -> tuple[Tensor, Tensor]:
    """Features that are correlated over sensors and steps, by condition too, and a reference."""
    random = torch.Generator().manual_seed(build)
    size = len(BUILDS[build].sensors) * STEPS * len(FEATURES)
    mixed = torch.randn(windows, size, generator=random) @ torch.randn(size, size, generator=random)
    mixed += 2 * torch.randn(3, size, generator=random)[torch.arange(windows) % 3]
    x = mixed.view(windows, -1, STEPS, len(FEATURES))
    return x.contiguous(), torch.randn(x.shape[1:], generator=random)
