"""The inputs that determine the content of a store; any change to them leads to another store."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import resources

from hydrascope.data.store.format import StoreSpec
from hydrascope.data.store.window_fields import window_fields
from hydrascope.data.windows import WindowPlan
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.own import source_digests
from hydrascope.telemetry.source import TelemetrySource, machine_fingerprint

CHUNK_BYTES = 16 * 2**20
"""The target size of a chunk, read or written: small compared to a worker's memory, but large
enough to outweigh the cost of starting a task and opening a file."""
MAX_CHUNK_WINDOWS = 256

_CODE: Mapping[str, tuple[str, ...]] = {
    "hydrascope.features": (),
    "hydrascope.graphs": (
        "flow.py",
        "fluid.py",
        "line_dynamics.py",
        "physics.py",
        "quantities.py",
        "roles.py",
        "window_computer.py",
    ),
    "hydrascope.schemas": ("units.py",),
    "hydrascope.data": ("windows.py", "extraction.py"),
    "hydrascope.data.store": ("window_fields.py",),
}
"""The code that computes the content: files by package, or all files if none is listed."""


def store_spec(source: TelemetrySource, plan: WindowPlan, engineer: FeatureEngineer) -> StoreSpec:
    """Return the specification of the store of one machine's windows."""
    topology = plan.machine.topology
    physics = engineer.config.edge_dynamic or engineer.config.use_hydraulic
    fields = window_fields(topology, engineer, plan.spec.steps)
    written = sum(field.window_bytes for field in fields.values())
    samples = sum(sensor.rate_hz for _, sensor in topology.sensors) * plan.spec.window_s
    read = 4 * round(samples)
    return StoreSpec(
        equipment_id=plan.equipment_id,
        windows=len(plan),
        chunk_windows=max(1, min(MAX_CHUNK_WINDOWS, CHUNK_BYTES // max(written, read, 1))),
        fields=fields,
        content={
            "source": machine_fingerprint(source, plan.equipment_id),
            "topology": topology.model_dump(mode="json"),
            # Age, maintenance and nominal values only affect the physics.
            "equipment": plan.machine.equipment.model_dump(mode="json", exclude={"aliases"})
            if physics
            else None,
            "window": asdict(plan.spec),
            "extents": [str(extent) for extent in plan.extents],
            # Features are normalised after reading, not in the store.
            "features": engineer.config.model_dump(mode="json", exclude={"normalization"}),
            "code": code_version(),
            **({"own": source_digests(engineer.own)} if engineer.own else {}),
        },
    )


@cache
def code_version() -> str:
    """Return a hash of the code that computes the content.

    It includes comments, since computing a store again is cheaper than trusting a stale one.
    """
    content = hashlib.sha256()
    for package, names in _CODE.items():
        folder = resources.files(package)
        files = {file.name: file for file in folder.iterdir() if file.name.endswith(".py")}
        for name in names or sorted(files):
            content.update(f"{package}/{name}\n".encode() + files[name].read_bytes())
    return content.hexdigest()[:16]
