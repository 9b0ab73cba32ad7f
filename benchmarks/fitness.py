"""Measure whether answers that are called reliable are right when the input is disturbed.

`python -m benchmarks fitness` trains the rig's default network on fold 0 and the fleet's default
network, if that has not been done (outputs/fitness, outputs/fleet), serves the bundles, and sends
the rig's test windows, and those of one test machine of each kind, as they are and disturbed.
`--write` puts the tables into docs/results.md.
"""

import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tests.support.rig_requests import ask
from tests.support.services import service

from benchmarks import _fleet_runs
from benchmarks._disturbances import disturbances
from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_most
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.restore import Restored, restore
from hydrascope.schemas import fitness
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec
from hydrascope.schemas.time import TimeWindow

RUNS = ROOT / "outputs" / "fitness"
WRONG, UNRELIABLE = 0.02, 0.03
"""The most wrong answers among reliable ones, and the most unreliable undisturbed windows."""
_CLIENTS, _AT_ONCE = 4, 256
_UNDISTURBED = 1024


class Asked(NamedTuple):
    """A window to send, with the truth."""

    body: bytes
    kind: str
    truth: Mapping[tuple[str, str], list[float]]
    """By component ("machine" for the whole) and head; NaN without a label."""


Counts = dict[tuple[str, str], Counter[str]]
"""Kind of disturbance and head → answers, reliable and wrong ones; windows under head ""."""


def run() -> list[Row]:
    """Measure everything."""
    rows = []
    for machine, counts in _measured().items():
        totals = {kind: _total(counts, kind) for kind, _ in counts}
        rows += [
            at_most(f"{machine}, {kind}: wrong", _wrong(total), "", WRONG)
            for kind, total in totals.items()
            if "wrong" in total
        ]
        windows = counts["none", ""]
        share = windows["unreliable"] / windows["windows"]
        rows.append(at_most(f"{machine}, undisturbed: unreliable", share, "", UNRELIABLE))
    return rows


def write() -> Path:
    """Measure, and write the section into docs/results.md."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; the windows of one machine go through the service. Those of all "
        "test machines are answered in process, and only counted. `python -m benchmarks fitness "
        "--write`.",
        "",
        "| machine | disturbance | windows | with an unreliable answer | answers | reliable | "
        "wrong of the reliable, goal ≤ 2 % | by head |",
        "|---" * 8 + "|",
    ]
    for machine, counts in _measured().items():
        for kind in dict.fromkeys(kind for kind, _ in counts):
            windows, total = counts[kind, ""], _total(counts, kind)
            heads = ", ".join(
                f"{head} {_percent(_wrong(own))}"
                for (each, head), own in counts.items()
                if head and each == kind and own["reliable"] and "wrong" in own
            )
            cells = (
                machine,
                kind,
                f"{windows['windows']:,}",
                _percent(windows["unreliable"] / windows["windows"]),
                f"{total['answers']:,}",
                _percent(total["reliable"] / total["answers"]),
                _percent(_wrong(total)) if "wrong" in total else "–",
                heads or "–",
            )
            lines.append("| " + " | ".join(cells) + " |")
    path = ROOT / "docs" / "results.md"
    replace_section(path, "fitness", "\n".join(lines))
    return path


def _measured() -> dict[str, Counts]:
    """Return the counts of each machine, from a file where they have been measured."""
    found: dict[str, Counts] = {}
    for name, folder, ckpt in (("rig", RUNS / "rig", _rig()), ("fleet", RUNS / "fleet", _fleet())):
        kept = folder / "counts.json"
        if not kept.exists():
            counts = {m: _pack(c) for m, c in _ask_all(name, folder, ckpt).items()}
            kept.write_text(json.dumps(counts), encoding="utf-8")
        stored = json.loads(kept.read_text(encoding="utf-8"))
        found |= {machine: _unpack(counts) for machine, counts in stored.items()}
    return found


def _rig() -> Path:
    run_dir = RUNS / "rig" / "run"
    if not (run_dir / "results.json").exists():
        keys = ["experiment=zema", "tracking=none", "trainer.progress_bar=false", "data.fold=0"]
        keys += ["baselines=false", f"run_dir={run_dir}", f"hydra.run.dir={run_dir}"]
        subprocess.run([sys.executable, "train.py", *keys], cwd=ROOT, check=True)
    return run_dir / "checkpoints" / "best.ckpt"


def _fleet() -> Path:
    run_dir = _fleet_runs.RUNS / "fitness"
    _fleet_runs.train(run_dir, _fleet_runs.EXPERIMENT, "baselines=false")
    return run_dir / "checkpoints" / "best.ckpt"


def _ask_all(name: str, folder: Path, ckpt: Path) -> dict[str, Counts]:
    """Serve a checkpoint's bundle, send all windows, and count the answers by machine."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / "bundle"
    if not bundle.exists():
        command = [sys.executable, "export.py", f"ckpt={ckpt}", f"output={bundle}"]
        subprocess.run(command, cwd=ROOT, check=True)
    restored = restore(str(ckpt))
    heads = {head.name: head for head in restored.settings.task.heads}
    found: dict[str, Counts] = {f"{name}, all machines": _undisturbed(restored)}
    with service(bundle) as served, ThreadPoolExecutor(_CLIENTS) as pool:
        for equipment_id, rows in _chosen(restored.data):
            counts: Counts = found.setdefault(name if name == "rig" else equipment_id, {})
            windows = _windows(restored.data, equipment_id, rows)
            while some := [*islice(windows, _AT_ONCE)]:  # not all bodies in memory
                answers = pool.map(partial(_ask, served.port), some)
                for asked, answer in zip(some, answers, strict=True):
                    _count(counts, asked, answer, heads)
    return found


def _undisturbed(restored: Restored) -> Counts:
    """Count windows with an unreliable answer among test windows of all machines, in process."""
    _, diagnoser, data = restored
    rows = data.split.test
    if len(rows) > _UNDISTURBED:
        rows = np.sort(np.random.default_rng(0).choice(rows, _UNDISTURBED, replace=False))
    counts: Counts = {}
    windows = counts.setdefault(("none", ""), Counter())
    for first in range(0, len(rows), _AT_ONCE):
        batch = data.dataset.gather(rows[first : first + _AT_ONCE])
        answers, inputs = diagnoser.predict(batch.inputs), batch.inputs
        unreliable = torch.zeros(len(batch.window), dtype=torch.bool)
        for head in diagnoser.heads:
            poor = answers[fitness.right(head.name)][:, 0] < diagnoser.least_right[head.name]
            graph = inputs.graph_id
            if head.level is HeadLevel.COMPONENT:
                column = data.input_spec.component_heads.index(head.name)
                poor, graph = poor & inputs.component_heads[:, column], inputs.component_graph
            own = counts.setdefault(("none", head.name), Counter())
            applies = (
                len(graph)
                if head.level is HeadLevel.MACHINE
                else int(inputs.component_heads[:, column].sum())
            )
            own["answers"] += applies
            own["reliable"] += applies - int(poor.sum())
            unreliable[graph[poor]] = True
        windows["windows"] += len(unreliable)
        windows["unreliable"] += int(unreliable.sum())
    return counts


def _ask(port: int, asked: Asked) -> dict[str, Any]:
    return ask(port, asked.body)


def _chosen(data: HydraulicDataModule) -> Iterator[tuple[str, list[int]]]:
    """Yield the first test machine of each build, with its test windows."""
    table = data.table.iloc[data.split.test]
    seen: set[str] = set()
    for equipment_id, own in table.groupby("equipment_id", sort=False, observed=True):
        build = data.machines[str(equipment_id)].topology.id
        if build not in seen:
            seen.add(build)
            yield str(equipment_id), [*map(int, own.index)]


def _windows(data: HydraulicDataModule, equipment_id: str, rows: list[int]) -> Iterator[Asked]:
    machine = data.machines[equipment_id]
    sensors = [sensor.id for _, sensor in machine.topology.sensors]
    window_s = data.window.window_s
    for row in rows:
        start = data.table["start"].loc[row].to_pydatetime()
        end = start + timedelta(seconds=window_s)
        signals = data.source.read(equipment_id, TimeWindow(start=start, end=end))
        truth = _truth(data, row)
        for kind, apply in disturbances(sensors):
            content = {
                name: {
                    "values": [None if np.isnan(v) else v for v in signal.values.tolist()],
                    "rate_hz": signal.rate_hz,
                }
                for name, signal in apply(signals).items()
            }
            body = {"equipment_id": equipment_id, "start": start.isoformat(), "signals": content}
            yield Asked(json.dumps(body).encode(), kind, truth)


def _truth(data: HydraulicDataModule, row: int) -> dict[tuple[str, str], list[float]]:
    batch = data.dataset.gather([row])
    (machine,) = (each for each, _ in data.dataset.locate(np.array([row])))
    components = data.machines[machine.equipment_id].topology.components
    found: dict[tuple[str, str], list[float]] = {}
    for head in data.task.heads:
        target = batch.targets[head.name].tolist()
        if head.level is HeadLevel.MACHINE:
            found["machine", head.name] = target[0]
        else:
            for component, own in zip(components, target, strict=True):
                found[component.id, head.name] = own
    return found


def _count(
    counts: Counts, asked: Asked, answer: Mapping[str, Any], heads: Mapping[str, HeadSpec]
) -> None:
    windows = counts.setdefault((asked.kind, ""), Counter())
    windows["windows"] += 1
    places = {"machine": answer["machine"], **answer["components"]}
    unreliable = False
    for place, findings in places.items():
        for name, finding in findings.items():
            own = counts.setdefault((asked.kind, name), Counter())
            truth = asked.truth[place, name]
            unreliable = unreliable or not finding["reliable"]
            for right in _rights(heads[name], finding, truth):
                own["answers"] += 1
                own["reliable"] += finding["reliable"]
                own["wrong"] += finding["reliable"] and not right
    windows["unreliable"] += unreliable


def _rights(head: HeadSpec, finding: Mapping[str, Any], truth: list[float]) -> Iterator[bool]:
    """Yield whether each labelled answer is right; of an unreliable one it does not matter."""
    labels = head.labels or (("present",) if head.kind is HeadKind.BINARY else (None,))
    for label, true in zip(labels, truth, strict=True):
        if np.isnan(true):
            continue
        if not finding["reliable"]:
            yield False
        elif head.kind is HeadKind.REGRESSION:
            bounds = finding["interval"] if label is None else finding["intervals"][label]
            yield bounds is None or bounds[0] <= true <= bounds[1]
        elif head.kind in (HeadKind.BINARY, HeadKind.MULTI_LABEL):
            yield (label in finding["flags"]) == (true == 1)
        else:
            yield finding["outcome"] == head.classes[int(true)].name


def _total(counts: Counts, kind: str) -> Counter[str]:
    """Return the sums over the heads, zeros included."""
    total: Counter[str] = Counter()
    for (each, head), own in counts.items():
        if head and each == kind:
            total.update(own)
    return total


def _wrong(count: Counter[str]) -> float:
    return count["wrong"] / max(1, count["reliable"])


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _pack(counts: Counts) -> list[Any]:
    return [[*key, dict(count)] for key, count in counts.items()]


def _unpack(packed: list[Any]) -> Counts:
    return {(kind, head): Counter(count) for kind, head, count in packed}
