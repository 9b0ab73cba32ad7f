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
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.support.rig_requests import ask
from tests.support.services import service

from benchmarks import _fleet_runs
from benchmarks._document import ROOT, replace_section
from benchmarks._fitness_windows import Asked, chosen, recorded_longer, windows
from benchmarks._rows import Row, at_most
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.restore import restore
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import Manifest
from hydrascope.schemas import fitness
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec
from hydrascope.serving.diagnosis.findings import Limits, Trust, build_finding

RUNS = ROOT / "outputs" / "fitness"
WRONG, UNRELIABLE = 0.02, 0.03
"""The most wrong answers among reliable ones, and the most unreliable undisturbed windows."""
_CLIENTS, _AT_ONCE = 4, 256
_UNDISTURBED = 1024

Counts = dict[tuple[str, str], Counter[str]]
"""Kind of disturbance and head → answers, reliable and wrong ones; windows under head ""."""
Found = Iterable[tuple[HeadSpec, Mapping[str, Any], list[float]]]
"""The answers to a window: the head, the finding, and the truth (NaN without a label)."""


def run() -> list[Row]:
    """Measure everything."""
    rows = []
    for machine, counts in _measured().items():
        totals = {kind: _total(counts, kind) for kind, _ in counts}
        rows += [
            at_most(f"{machine}, {kind}: wrong", _wrong(total), "", WRONG)
            for kind, total in totals.items()
        ]
        share = _of_windows(counts["none", ""], "unreliable")
        rows.append(at_most(f"{machine}, undisturbed: unreliable", share, "", UNRELIABLE))
    return rows


def write() -> Path:
    """Measure, and write the section into docs/results.md."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; the windows of one machine go through the service, those of all "
        "test machines are answered in process. A simulated machine is one of the test, recorded "
        "for longer. `python -m benchmarks fitness --write`.",
        "",
        "| machine | disturbance | windows | with an unreliable answer | with a wrong reliable "
        "answer | answers | unreliable | wrong of the reliable, goal ≤ 2 % | by head |",
        "|---" * 9 + "|",
    ]
    for machine, counts in _measured().items():
        for kind in dict.fromkeys(kind for kind, _ in counts):
            own, total = counts[kind, ""], _total(counts, kind)
            heads = ", ".join(
                f"{head} {_percent(_wrong(each))}"
                for (at, head), each in counts.items()
                if head and at == kind and each["reliable"]
            )
            cells = (
                machine,
                kind,
                f"{own['windows']:,}",
                _percent(_of_windows(own, "unreliable")),
                _percent(_of_windows(own, "wrong")),
                f"{total['answers']:,}",
                _percent(1 - total["reliable"] / total["answers"]),
                _percent(_wrong(total)),
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
    manifest, data = read_bundle(bundle).manifest, restored.data
    found = {f"{name}, all machines": _undisturbed(restored.diagnoser, data, manifest)}
    if name == "fleet":
        data = recorded_longer(restored, folder / "store")
    heads = {head.name: head for head in manifest.task.heads}
    with service(bundle) as served, ThreadPoolExecutor(_CLIENTS) as pool:
        for equipment_id, rows in chosen(data):
            counts: Counts = found.setdefault(name if name == "rig" else equipment_id, {})
            asked = windows(data, equipment_id, rows)
            while some := [*islice(asked, _AT_ONCE)]:  # not all bodies in memory
                answers = pool.map(partial(_ask, served.port), some)
                for each, answer in zip(some, answers, strict=True):
                    _count(counts, each.kind, _answered(each, answer, heads))
    return found


def _answered(asked: Asked, answer: Mapping[str, Any], heads: Mapping[str, HeadSpec]) -> Found:
    """Yield the answers of the service to a window."""
    for place, findings in {"machine": answer["machine"], **answer["components"]}.items():
        for name, finding in findings.items():
            yield heads[name], finding, asked.truth[place, name]


def _undisturbed(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, manifest: Manifest
) -> Counts:
    """Count the answers to test windows of all machines, in process."""
    rows = data.split.test
    if len(rows) > _UNDISTURBED:
        rows = np.sort(np.random.default_rng(0).choice(rows, _UNDISTURBED, replace=False))
    counts: Counts = {}
    for row in rows:
        batch = data.dataset.gather([int(row)])
        answers = diagnoser.predict(batch.inputs)
        found = []
        for head in diagnoser.heads:
            places = torch.zeros(1, dtype=torch.int64)
            if head.level is HeadLevel.COMPONENT:
                column = data.input_spec.component_heads.index(head.name)
                places = batch.inputs.component_heads[:, column].nonzero()[:, 0]
            limits = Limits.from_manifest(head, manifest)
            for place in places.tolist():
                right = float(answers[fitness.right(head.name)][place])
                reliable = right > 0 and right >= limits.least_right
                trust = Trust(reliable, right, 1.0, ())
                finding = build_finding(head, answers[head.name][place].numpy(), limits, trust)
                truth = batch.targets[head.name][place].tolist()
                found.append((head, finding.model_dump(), truth))
        _count(counts, "none", found)
    return counts


def _ask(port: int, asked: Asked) -> dict[str, Any]:
    return ask(port, asked.body)


def _count(counts: Counts, kind: str, found: Found) -> None:
    """Add the answers to one window."""
    unreliable = wrong = False
    for head, finding, truth in found:
        own = counts.setdefault((kind, head.name), Counter())
        unreliable = unreliable or not finding["reliable"]
        for right in _rights(head, finding, truth):
            own["answers"] += 1
            own["reliable"] += finding["reliable"]
            own["wrong"] += finding["reliable"] and not right
            wrong = wrong or (finding["reliable"] and not right)
    counts.setdefault((kind, ""), Counter()).update(windows=1, unreliable=unreliable, wrong=wrong)


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


def _of_windows(count: Counter[str], what: str) -> float:
    return count[what] / count["windows"]


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _pack(counts: Counts) -> list[Any]:
    return [[*key, dict(count)] for key, count in counts.items()]


def _unpack(packed: list[Any]) -> Counts:
    return {(kind, head): Counter(count) for kind, head, count in packed}
