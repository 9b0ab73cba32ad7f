"""Simulated cases of the blame, kept machine by machine: a run that was interrupted goes on."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file

from benchmarks import _blame_builds, _blame_cases, _blame_recordings
from benchmarks._blame_cases import Case, cases
from benchmarks._document import ROOT
from hydrascope.schemas import GraphTopology, validate

_FOLDER = ROOT / "outputs" / "blame"
_CASES = "cases"
"""The key of the cases in the header of a machine's file."""


def simulated(machines: int, windows: int) -> list[Case]:
    """Return the cases of so many machines with so many windows each, and show progress.

    They are read from outputs/blame if the code that simulates has not changed.
    """
    sources = (_blame_builds, _blame_recordings, _blame_cases)
    content = b"".join(Path(str(each.__file__)).read_bytes() for each in sources)
    folder = _FOLDER / f"{hashlib.sha256(content).hexdigest()[:12]}-{windows}"
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Case] = []
    for number in track(range(machines), description="Machines"):
        file = folder / f"{number}.safetensors"
        if not file.exists():
            _write(file, list(cases(number, windows)))
        found += _read(file)
    return found


def _write(file: Path, found: list[Case]) -> None:
    tensors, about = {}, []
    for place, case in enumerate(found):
        for name in ("evidence", "observed", "detected"):
            tensors[f"{place}.{name}"] = getattr(case, name).contiguous()
        topology = case.topology.model_dump(mode="json", exclude_none=True)
        about.append(
            {"kind": case.kind, "machine": case.machine, "topology": topology,
             "faulty": case.faulty, "faults": case.faults}
        )  # fmt: skip
    part = file.with_suffix(".part")
    save_file(tensors, part, {_CASES: json.dumps(about)})
    part.rename(file)


def _read(file: Path) -> Iterator[Case]:
    with safe_open(file, framework="pt") as content:
        about: list[dict[str, Any]] = json.loads(content.metadata()[_CASES])
        for place, each in enumerate(about):
            own = {
                name: content.get_tensor(f"{place}.{name}")
                for name in ("evidence", "observed", "detected")
            }
            topology = validate(GraphTopology, each["topology"])
            faults = tuple(each["faults"])
            yield Case(**{**each, **own, "topology": topology, "faults": faults})
