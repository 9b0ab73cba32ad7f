"""A training step of the default network against the same network written the usual way.

`python -m benchmarks training [--write]`. On a GPU the same rows are measured there, with
bfloat16, float8 and the peak memory beside them.
"""

import platform
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least, at_most
from benchmarks._usual_network import UsualNetwork
from hydrascope.graphs.fields import GraphInputs, WindowFields
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.models.config import NetworkConfig
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.schemas import GraphTopology, HeadLevel, HeadSpec, TaskSpec, validate
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.tasks.losses import forecast_loss, means, task_losses
from hydrascope.training.acceleration import Acceleration, accelerate

GRAPHS, COMPONENTS, SENSORS, STEPS, FEATURES = 32, 12, 30, 10, 34
THREADS = 2
GOAL = 3.0
"""Times as fast as the usual way, eager against eager."""


class Problem(NamedTuple):
    """A batch with its answers."""

    spec: InputSpec
    heads: Sequence[HeadSpec]
    inputs: GraphInputs
    targets: dict[str, Tensor]

    def to(self, device: torch.device) -> "Problem":
        """Return it on `device`."""
        targets = {name: target.to(device) for name, target in self.targets.items()}
        return self._replace(inputs=self.inputs.to(device), targets=targets)


def problem(graphs: int = GRAPHS) -> Problem:
    """Return normally distributed features of machines of 12 components, 30 sensors, 14 lines."""
    line = {"kind": "pressure_line", "diameter_mm": 16, "length_m": 2, "material": "steel"}
    ring = [(f"c{i}", f"c{(i + 1) % COMPONENTS}") for i in range(COMPONENTS)]
    sensor = {"kind": "pressure", "unit": "bar", "rate_hz": 1}
    components = [
        {
            "id": f"c{i}",
            "kind": "manifold",
            "sensors": [sensor | {"id": f"s{k}"} for k in range(i, SENSORS, COMPONENTS)],
        }
        for i in range(COMPONENTS)
    ]
    edges = [line | {"source": s, "target": t} for s, t in [*ring, ("c0", "c5"), ("c3", "c9")]]
    topology = validate(GraphTopology, {"id": "press", "components": components, "edges": edges})
    heads = [
        head.model_copy(update={"components": None})
        for head in validate(TaskSpec, load_yaml(ROOT / "conf" / "task" / "zema.yaml")).heads
    ]
    names = [head.name for head in heads if head.level is HeadLevel.COMPONENT]
    spec = InputSpec.of([topology], [f"f{k}" for k in range(FEATURES)], STEPS, names)
    layout = GraphLayout.of(topology, spec, heads)
    random = torch.Generator().manual_seed(0)
    edge_count = layout.edge_index.shape[1]
    inputs = layout.batch(
        WindowFields(
            torch.randn(graphs, SENSORS, STEPS, FEATURES, generator=random),
            torch.ones(graphs, SENSORS, STEPS, dtype=torch.bool),
            torch.zeros(graphs, edge_count, STEPS, 0),
            torch.zeros(graphs, edge_count, STEPS, 0, dtype=torch.bool),
            torch.zeros(graphs, STEPS, 0),
            torch.zeros(graphs, STEPS, 0, dtype=torch.bool),
        )
    )
    rows = {HeadLevel.COMPONENT: graphs * COMPONENTS, HeadLevel.MACHINE: graphs}
    targets = {
        head.name: torch.randint(0, len(head.classes) or 2, (rows[head.level], 1), generator=random)
        for head in heads
    }
    return Problem(spec, heads, inputs, {name: target.float() for name, target in targets.items()})


def network(of: Problem, **config: object) -> UniversalTemporalGNN:
    """Return the default network without dropout and noise, weights off their starting values."""
    torch.manual_seed(0)
    keys = {"dropout": 0.0, "input_noise": 0.0} | config
    ours = UniversalTemporalGNN(validate(NetworkConfig, keys), of.spec, of.heads)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return ours


class Step:
    """Forward, backward and optimiser step of a network."""

    def __init__(self, module: nn.Module, on: Problem, precision: str = "32-true") -> None:
        self.module, self.problem, self.device = module, on, on.inputs.graph_id.device
        learned = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learned, lr=1e-4, fused=True)
        self.autocast = precision == "bf16-mixed"

    def __call__(self) -> None:
        """Take one."""
        self.optimizer.zero_grad()
        half = torch.autocast(self.device.type, torch.bfloat16) if self.autocast else nullcontext()
        with half:
            output = self.module(self.problem.inputs)
            losses = task_losses(self.problem.heads, output.heads, self.problem.targets, 0.0, {})
            losses["forecast"] = forecast_loss(output.arma)
            means(list(losses.values()))[0].sum().backward()
        self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def fastest_ms(rounds: int, calls: int, *steps: Callable[[], None]) -> list[float]:
    """Return each step's fastest mean over some calls, in turns.

    The fastest, since other work on the machine only ever slows a step down.
    """
    best = [float("inf")] * len(steps)
    for number in range(rounds + 1):  # the first warms up
        for place, step in enumerate(steps):
            start = time.perf_counter()
            for _ in range(calls):
                step()
            taken = 1e3 * (time.perf_counter() - start) / calls
            best[place] = min(best[place], taken) if number else best[place]
    return best


def run(rounds: int = 20, calls: int = 1, compiled: bool = True) -> list[Row]:
    """Measure, on the GPU if there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        on = problem().to(device)
        rows = []
        for order in ("space_then_time", "time_then_space"):
            rows += _against_the_usual_way(on, order, rounds, calls)
        toggles = {"compiled": Acceleration(compile=True)} if compiled else {}
        if device.type == "cuda":
            toggles |= {
                "eager, bfloat16": Acceleration(precision="bf16-mixed"),
                "compiled, bfloat16": Acceleration(compile=True, precision="bf16-mixed"),
                "compiled, bfloat16, float8": Acceleration("native", False, True, "bf16-mixed"),
                "eager, bfloat16, checkpointing": Acceleration(None, True, False, "bf16-mixed"),
            }
        for name, toggle in toggles.items():
            rows += _accelerated(on, name, toggle, rounds, calls)
    finally:
        torch.set_num_threads(threads)
    return rows


def _against_the_usual_way(on: Problem, order: str, rounds: int, calls: int) -> list[Row]:
    device = on.inputs.graph_id.device
    ours = network(on, order=order).to(device)
    usual = UsualNetwork(ours).to(device)
    with torch.no_grad():
        one, other = ours(on.inputs).heads, usual(on.inputs).heads
    difference = max(float((one[name] - other[name]).abs().max()) for name in one)
    learned = [
        sum(p.numel() for p in module.parameters() if p.requires_grad) for module in (ours, usual)
    ]
    usual_ms, ours_ms = fastest_ms(rounds, calls, Step(usual, on), Step(ours, on))
    products_ms = products_gflop(Step(ours, on)) / peak_gflops(device) * 1e3
    return [
        at_most(f"{order}: largest difference of the answers", difference, "", 1e-4),
        at_most(f"{order}: difference in learned weights", abs(learned[0] - learned[1]), "", 0),
        at_most(f"{order}: the usual way", usual_ms, "ms"),
        at_most(f"{order}: ours", ours_ms, "ms"),
        at_least(f"{order}: the usual way / ours", usual_ms / ours_ms, "×", GOAL),
        at_most(f"{order}: ours, its matrix products at the machine's peak", products_ms, "ms"),
        at_most(f"{order}: ours / its matrix products at peak", ours_ms / products_ms, "×"),
        at_most(f"{order}: the usual way / the same products", usual_ms / products_ms, "×"),
    ]


def products_gflop(step: Step) -> float:
    """Return what all matrix products of a step add up to, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 1e9


def peak_gflops(device: torch.device, size: int = 1024, rounds: int = 30) -> float:
    """Return the fastest rate of a product of two square matrices, in single precision."""
    one, other = (torch.randn(size, size, device=device) for _ in range(2))
    out = torch.empty_like(one)

    def product() -> None:
        torch.mm(one, other, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize()

    (fastest,) = fastest_ms(rounds, 1, product)
    return 2 * size**3 / 1e6 / fastest


def _accelerated(
    on: Problem, name: str, toggle: Acceleration, rounds: int, calls: int
) -> list[Row]:
    device = on.inputs.graph_id.device
    eager, module = network(on).to(device), network(on).to(device)
    accelerate(module, toggle)
    steps = Step(eager, on), Step(module, on, toggle.precision)
    eager_ms, ms = fastest_ms(rounds, calls, *steps)
    rows = [
        at_most(f"{name}: a step", ms, "ms"),
        at_least(f"{name}: eager / {name}", eager_ms / ms, "×", 1.0 if toggle.compile else None),
    ]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        steps[1]()
        rows.append(at_most(f"{name}: peak memory", torch.cuda.max_memory_allocated() / 1e6, "MB"))
    return rows


def write() -> Path:
    """Measure and write the table."""
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    lines = [
        f"Forward, backward and optimiser step of {GRAPHS} graphs of {COMPONENTS} components, "
        f"{SENSORS} sensors, {STEPS} steps, {FEATURES} features; the fastest of 20 rounds in "
        f"turns; {where}, {THREADS} CPU threads, torch {torch.__version__}; "
        f"`python -m benchmarks training --write`.",
        "",
        "The usual way loops over the steps in Python. With `space_then_time` that loop calls "
        "PyG's `GATv2Conv` at every step; with `time_then_space`, the default, the graph part runs "
        "once either way, and the loop embeds and pools the sensors. Both call `nn.LSTM` for each "
        "graph, and both use the fused AdamW.",
        "",
        "| measured | value | unit | goal | met |",
        "|---|---|---|---|---|",
    ]
    for row in run():
        goal = "| |"
        if row["goal"] is not None:
            sign = "≥" if row["better"] == "higher" else "≤"
            goal = f"| {sign} {row['goal']:g} | {'yes' if row['ok'] else 'NO'} |"
        lines.append(f"| {row['name']} | {row['value']:.3g} | {row['unit']} {goal}")
    path = ROOT / "docs" / "results.md"
    replace_section(path, "training speed", "\n".join(lines))
    return path
