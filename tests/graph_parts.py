"""Windows for tests of graphs: real ones, and random ones where the test asks where they go."""

import numpy as np
import torch
from torch import Tensor

from hydrascope.data.extraction import extract_windows
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.data.windows import plan_windows
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.fields import WindowFields
from hydrascope.schemas import GraphTopology, Machine
from hydrascope.telemetry import TelemetrySource


def real_windows(
    source: TelemetrySource, machine: Machine, spec: WindowSpec, engineer: FeatureEngineer
) -> WindowFields:
    """All windows of a machine, computed without a store; every group must be on or be absent."""
    plan = plan_windows(source, machine, spec)
    arrays = extract_windows(source, plan, engineer, range(len(plan)))
    fields = {name: torch.from_numpy(array) for name, array in arrays.items()}
    features, observed = fields.pop(SENSOR_FEATURES), fields.pop(SENSOR_OBSERVED)
    nothing = window_fields(machine.topology, features, observed)
    own = {n: f.squeeze(1) for n, f in fields.items() if n.startswith("machine_")}
    return nothing._replace(**{**fields, **own})


def stored_windows(machine: StoredMachine, rows: Tensor, topology: GraphTopology) -> WindowFields:
    """Some windows of a dataset's machine, without line dynamics and features of its own."""
    chosen = np.asarray(rows)
    features, observed = (machine.read(n, chosen) for n in (SENSOR_FEATURES, SENSOR_OBSERVED))
    return window_fields(topology, features, observed)


def window_fields(
    topology: GraphTopology, features: Tensor, observed: Tensor, *, dynamic: int = 0, own: int = 0
) -> WindowFields:
    """The sensors' features, with `dynamic` random features a line and `own` of the machine."""
    generator = torch.Generator().manual_seed(len(features))
    windows, _, steps, _ = features.shape
    of_edges = (windows, len(topology.directed_edges()), steps, dynamic)
    of_machine = (windows, steps, own)
    return WindowFields(
        features,
        observed,
        torch.rand(of_edges, generator=generator),
        torch.rand(of_edges, generator=generator) > 0.5,
        torch.rand(of_machine, generator=generator),
        torch.rand(of_machine, generator=generator) > 0.5,
    )
