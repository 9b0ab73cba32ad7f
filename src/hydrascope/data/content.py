"""What decides the numbers of a store: a change in any of it makes another store."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import resources

from hydrascope.data.extraction import samples_per_window
from hydrascope.data.store.format import StoreSpec
from hydrascope.data.store.window_fields import window_fields
from hydrascope.data.windows import WindowPlan
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.telemetry.machine_fingerprint import machine_fingerprint
from hydrascope.telemetry.source import TelemetrySource

CHUNK_BYTES = 16 * 2**20
"""Samples read, or numbers written, of one chunk: small beside the memory of any worker, large
beside what starting a task and opening a file cost."""
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
"""The code that computes what is stored: files by package, all of its files where none is named."""


def store_spec(source: TelemetrySource, plan: WindowPlan, engineer: FeatureEngineer) -> StoreSpec:
    """Return what the store of one machine's windows is to hold."""
    topology = plan.machine.topology
    physics = engineer.config.edge_dynamic or engineer.config.use_hydraulic
    fields = window_fields(topology, engineer, plan.spec.steps)
    written = sum(field.window_bytes for field in fields.values())
    read = 4 * samples_per_window(topology, plan.spec.window_s)
    return StoreSpec(
        equipment_id=plan.equipment_id,
        windows=len(plan),
        chunk_windows=max(1, min(MAX_CHUNK_WINDOWS, CHUNK_BYTES // max(written, read, 1))),
        fields=fields,
        content={
            "source": machine_fingerprint(source, plan.equipment_id),
            "topology": topology.model_dump(mode="json"),
            # Age, maintenance and nominal values of this machine enter by its physics alone.
            "equipment": plan.machine.equipment.model_dump(mode="json") if physics else None,
            "window": asdict(plan.spec),
            "extents": [str(extent) for extent in plan.extents],
            # Normalised is what is read, not what is stored.
            "features": engineer.config.model_dump(mode="json", exclude={"normalization"}),
            "code": code_version(),
        },
    )


@cache
def code_version() -> str:
    """Hash of the code that computes what is stored.

    Comments count: to compute a store again is cheap, to trust a stale one is not.
    """
    content = hashlib.sha256()
    for package, names in _CODE.items():
        folder = resources.files(package)
        files = {file.name: file for file in folder.iterdir() if file.name.endswith(".py")}
        for name in names or sorted(files):
            content.update(f"{package}/{name}\n".encode() + files[name].read_bytes())
    return content.hexdigest()[:16]
