"""What the service bears, that it answers as an evaluation does, and LitServe beside it.

A server process and a client process share the machine, as a small installation would; the network
is the rig's default one. Takes half an hour: ten minutes for memory, some for a training.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

import torch
from tests.support.load import Load, Outcome, put
from tests.support.rig_requests import PATH, ask, first_latencies_s, request_bodies
from tests.support.services import Served, free_port, running, service

from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least, at_most
from hydrascope.experiment.restore import restore

P99_S = 0.25
"""99th percentile that rates are compared at: well above what another program's work on the same
machine adds to it."""
TRIES = 2
"""Of a rate, before it counts as too high."""
TURNS = 3


def run(memory_s: float = 600.0, run_s: float = 10.0) -> list[Row]:
    """Measure everything; `memory_s` seconds of load for memory, `run_s` for each other run."""
    with tempfile.TemporaryDirectory(prefix="hydrascope-serving-") as folder:
        ckpt, bundle = make_bundle(Path(folder))
        rows = []
        with service(bundle, "max_batch=1") as one:
            rows += _agreement(one.port, ckpt)
            alone = highest_rate(one.port, run_s)
        with service(bundle) as ours:
            rows += _first_answers(ours)
            rate = highest_rate(ours.port, run_s)
            saturation = closed_loop(ours.port, run_s)
            rows += [
                at_least(f"windows/s at p99 ≤ {1000 * P99_S:g} ms", rate, "1/s"),
                at_least("the same, one window at a time", alone, "1/s"),
                at_least("dynamic batching / one at a time", rate / alone, "×", 2.5),
                at_least("saturation, 64 connections", saturation, "1/s"),
            ]
            rows += _half_and_overload(ours, saturation, run_s)
            rows += _memory(ours, saturation, memory_s)
        rows += _beside_litserve(bundle, run_s)
    return rows


def write() -> Path:
    """Measure, and write the section into docs/results.md."""
    path = ROOT / "docs" / "results.md"
    replace_section(path, "serving", page(run()))
    return path


def page(rows: Sequence[Row]) -> str:
    """Return the section of docs/results.md."""
    cores = len(os.sched_getaffinity(0))
    lines = [
        f"{date.today()}, {platform.machine()}, {cores} cores, torch {torch.__version__}, the "
        "rig's default network; open loop unless stated otherwise. "
        "`python -m benchmarks serving --write`.",
        "",
        "| measured | value | goal | met |",
        "|---|---|---|---|",
    ]
    for row in rows:
        goal = row["goal"]
        sign = "≥" if row["better"] == "higher" else "≤"
        bound = "" if goal is None else f"{sign} {goal:g} {row['unit']}"
        met = "" if goal is None else ("yes" if row["ok"] else "**no**")
        lines.append(f"| {row['name']} | {row['value']:.4g} {row['unit']} | {bound} | {met} |")
    return "\n".join(lines)


@contextmanager
def litserve(bundle: Path) -> Iterator[int]:
    """Run LitServe with the same bundle on a free port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks._litserve", str(bundle), str(port)]
    with running(command, port, "/health"):
        yield port


def make_bundle(folder: Path) -> tuple[str, Path]:
    """Train the rig's default network for one epoch; return its checkpoint and its bundle.

    How well it answers is no matter here; how large it is and what it reads are.
    """
    run_dir, bundle = folder / "run", folder / "bundle"
    train = ["experiment=zema", "trainer.max_epochs=1", "baselines=false", "tracking=none"]
    train += ["trainer.progress_bar=false", f"run_dir={run_dir}", f"hydra.run.dir={run_dir}"]
    train += [f"data.store.folder={folder / 'store'}"]
    ckpt = run_dir / "checkpoints" / "best.ckpt"
    quiet = partial(subprocess.run, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    quiet([sys.executable, "train.py", *train])
    quiet([sys.executable, "export.py", f"ckpt={ckpt}", f"output={bundle}"])
    return str(ckpt), bundle


def closed_loop(port: int, seconds: float, connections: int = 64) -> float:
    """Return answers a second with so many connections that never rest."""
    put(Load(port, PATH, seconds=2, connections=connections))
    outcome = put(Load(port, PATH, seconds, connections=connections))
    return outcome.answered / outcome.seconds


def highest_rate(port: int, seconds: float, p99_s: float = P99_S) -> float:
    """Return the highest rate (open loop) at which 99 % are answered within `p99_s`, to 5 %.

    Raises:
        RuntimeError: There is none of one a second or more; other work keeps the machine busy.
    """
    low, high = 0.0, 1.3 * closed_loop(port, min(seconds, 5.0))
    while high - low > 0.05 * high:
        rate = (low + high) / 2
        load = Load(port, PATH, seconds, rate=rate, connections=512)
        low, high = (rate, high) if any(_bears(load, p99_s) for _ in range(TRIES)) else (low, rate)
        if high < 1.0:
            raise RuntimeError(f"not even one a second is answered within {p99_s:g} s")
    return low


def _bears(load: Load, p99_s: float) -> bool:
    outcome = put(load)
    # What is turned away was not answered in time either.
    return sum(each <= p99_s for each in outcome.latencies_s) >= 0.99 * outcome.sent


def _agreement(port: int, ckpt: str) -> list[Row]:
    """Ask for every test window over HTTP; compare with what an evaluation computes."""
    _, diagnoser, data = restore(ckpt)
    test = data.split.test
    expected = {
        name: answer.reshape(len(test), -1, answer.shape[1])
        for name, answer in diagnoser.predict(data.dataset.gather(test).inputs).items()
    }
    (machine,) = data.machines.values()
    place = {each.id: number for number, each in enumerate(machine.topology.components)}
    worst, compared = 0.0, 0
    for row, body in enumerate(request_bodies(test.tolist())):
        answer = ask(port, body)
        heads = [("", answer["machine"]), *answer["components"].items()]
        for component, findings in heads:
            for name, found in findings.items():
                numbers = expected[name][row, place.get(component, 0)].tolist()
                for ours, theirs in zip(found["probabilities"].values(), numbers, strict=True):
                    worst, compared = max(worst, abs(ours - theirs)), compared + 1
    return [
        at_least("probabilities of test windows compared with evaluate.py's", compared, ""),
        at_most("largest difference from evaluate.py's", worst, "", 1e-5),
    ]


def _first_answers(served: Served) -> list[Row]:
    first, *later = first_latencies_s(served.port, 200)
    usual = median(later)
    return [
        at_most("start to ready", served.ready_s, "s", 8.0),
        at_most("one after the other: median", 1000 * usual, "ms"),
        at_most("first answer / median", first / usual, "×", 2.0),
        at_most("resident memory when ready", served.resident_mb, "MB"),
    ]


def _half_and_overload(served: Served, saturation: float, seconds: float) -> list[Row]:
    half = partial(Load, served.port, PATH, rate=saturation / 2, connections=512)
    before = _ticks()
    quiet = put(half(seconds=2 * seconds))
    stolen, passed = (now - then for now, then in zip(_ticks(), before, strict=True))
    flood = Load(served.port, PATH, 2 * seconds, rate=3 * saturation, connections=1024)
    flooded = put(flood)
    print(f"3 × saturation: {dict(flooded.statuses)}, lost: {dict(flooded.broken)}")
    time.sleep(4)  # and a second until the next client has started
    after = put(half(seconds=seconds))
    return [
        at_most("half load: p50", 1000 * quiet.quantile_s(0.5), "ms"),
        at_most("half load: p99", 1000 * quiet.quantile_s(0.99), "ms", 60.0),
        at_most("half load: processor time kept from this machine", 100 * stolen / passed, "%"),
        at_most("half load: not answered", quiet.sent - quiet.answered, "requests", 0),
        at_most("3 × saturation: p99 of what is answered", 1000 * flooded.quantile_s(0.99), "ms"),
        at_least("3 × saturation: answered", flooded.answered / flooded.seconds, "1/s"),
        at_least("3 × saturation: turned away", _turned_away(flooded), "requests", 1),
        at_most("3 × saturation: without any or with two answers", _wrong(flooded), "requests", 0),
        at_most("5 s after it: p99 at half load", 1000 * after.quantile_s(0.99), "ms", 60.0),
    ]


def _beside_litserve(bundle: Path, seconds: float) -> list[Row]:
    """Saturate both in turns, so that what else the machine does meets both."""
    ours, theirs = [], []
    for _ in range(TURNS):
        with service(bundle) as served:
            ours.append(closed_loop(served.port, seconds))
        with litserve(bundle) as port:
            theirs.append(closed_loop(port, seconds))
    with litserve(bundle) as port:
        rate = highest_rate(port, seconds)
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return [
        at_least("LitServe: saturation, 64 connections", median(theirs), "1/s"),
        at_least("the service in turns with it", median(ours), "1/s"),
        at_least(f"LitServe: windows/s at p99 ≤ {1000 * P99_S:g} ms", rate, "1/s"),
        at_least(f"saturation / LitServe's, median of {TURNS} turns", ratio, "×", 1.0),
    ]


def _ticks() -> tuple[int, int]:
    """Return the time that this virtual machine wanted to run but was not let (steal), and all.

    Both in ticks of all processors since its start (Linux).
    """
    own = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    return int(own[7]), sum(map(int, own))


def _turned_away(outcome: Outcome) -> int:
    return outcome.statuses["429"] + outcome.statuses["503"]


def _wrong(outcome: Outcome) -> int:
    """Count requests without an answer, answers without a request, and answers of other kinds."""
    known = outcome.answered + _turned_away(outcome) + outcome.statuses["504"]
    other = sum(outcome.statuses.values()) - known
    return outcome.lost + outcome.extra + other + outcome.no_retry_after


def _memory(served: Served, saturation: float, seconds: float) -> list[Row]:
    load = partial(Load, served.port, PATH, rate=saturation / 2, connections=512)
    put(load(seconds=min(60.0, seconds / 10)))
    before = served.resident_mb
    put(load(seconds=seconds))
    growth = 100 * (served.resident_mb / before - 1)
    return [
        at_most("resident memory under load", served.resident_mb, "MB"),
        at_most(f"memory growth in {seconds / 60:.0f} min of half load", growth, "%", 5.0),
    ]
