"""Stores of a fleet: exact, reused, rebuilt where anything changed, and safe from crashes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from build_rigs import CONFIG, SPEC, build, slow_rigs
from rig_parts import RigParts, cycles

from hydrascope.data import content
from hydrascope.data.build import StoreConfig, open_stores
from hydrascope.data.content import store_spec
from hydrascope.data.extraction import extract_windows
from hydrascope.data.store.format import field_file
from hydrascope.data.store.reader import GraphStore, Verify
from hydrascope.data.windows import plan_windows
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import Machine, TimeWindow
from hydrascope.telemetry import Signal, ZemaSource

ENGINEER = FeatureEngineer(CONFIG)


@dataclass
class CountedRigs(RigParts):
    """Counts what is read of each machine; each has a fingerprint of its own."""

    reads: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        self.reads[equipment_id] = self.reads.get(equipment_id, 0) + 1
        return super().read(equipment_id, window)

    def machine_fingerprint(self, equipment_id: str) -> str:
        return self.versions.get(equipment_id, "first")


@pytest.fixture
def counted(two_rigs: RigParts) -> CountedRigs:
    return CountedRigs(two_rigs.rig, two_rigs.stretches)


def open_all(
    source: RigParts,
    folder: Path,
    engineer: FeatureEngineer = ENGINEER,
    spec: WindowSpec = SPEC,
    **config: Any,
) -> list[GraphStore]:
    plans = [plan_windows(source, machine, spec) for machine in source.machines().values()]
    return open_stores(source, plans, engineer, StoreConfig(folder, **config))


def rebuilt(source: CountedRigs, folder: Path, **changes: Any) -> set[str]:
    """Open all stores and return the machines that were read for it."""
    source.reads.clear()
    open_all(source, folder, **changes)
    return set(source.reads)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_stores_equal_direct_extraction_bit_for_bit(
    two_rigs: RigParts, folder: Path, n_jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "MAX_CHUNK_WINDOWS", 7)  # several chunks, some across the gap
    spec = WindowSpec(window_s=60.0, stride_s=45.0, steps=10)
    stores = open_all(two_rigs, folder, spec=spec, n_jobs=n_jobs)
    for store, machine in zip(stores, two_rigs.machines().values(), strict=True):
        plan = plan_windows(two_rigs, machine, spec)
        direct = extract_windows(two_rigs, plan, ENGINEER, range(len(plan)))
        assert store.manifest.chunks > 3
        for name, array in store.read(0, len(store)).items():
            assert array.tobytes() == direct[name].tobytes(), name


def resampled(signals: dict[str, Signal]) -> dict[str, Signal]:
    """PS1 at a third of a hertz, PS2 ten times as fast, TS1 slower than its machine file says."""
    values = {name: each.values for name, each in signals.items()}
    return signals | {
        "PS2": Signal(np.repeat(values["PS2"], 10), 10.0),
        "TS1": Signal(values["TS1"][::20].copy(), 0.05),
    }


def test_any_range_of_windows_is_extracted_as_in_the_whole(zema: ZemaSource) -> None:
    source = RigParts(zema, {"a": [cycles(0, 10), cycles(50, 4)]}, change={"a": resampled})
    spec = WindowSpec(window_s=70.0, stride_s=20.0, steps=7)
    plan = plan_windows(source, source.machines()["a"], spec)
    whole = extract_windows(source, plan, ENGINEER, range(len(plan)))
    for first in range(0, len(plan), 3):
        for stop in (first + 1, first + 5):
            rows = range(first, min(stop, len(plan)))
            part = extract_windows(source, plan, ENGINEER, rows)
            for name, array in part.items():
                assert array.tobytes() == whole[name][rows.start : rows.stop].tobytes(), rows


def test_a_second_run_reads_no_telemetry(counted: CountedRigs, folder: Path) -> None:
    assert rebuilt(counted, folder) == {"a", "b"}
    assert rebuilt(counted, folder) == set()


def test_exactly_what_a_change_touches_is_rebuilt(
    counted: CountedRigs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilt(counted, folder)
    counted.versions["b"] = "second"
    assert rebuilt(counted, folder) == {"b"}
    with_temporal = FeatureEngineer(FeatureConfig(patch=False, temporal=True))
    assert rebuilt(counted, folder, engineer=with_temporal) == {"a", "b"}
    assert rebuilt(counted, folder, spec=WindowSpec(60.0, 60.0, 5)) == {"a", "b"}
    whole_topology = counted.machines

    def shorter_line() -> dict[str, Machine]:
        machines = whole_topology()
        topology = machines["a"].topology
        edges = (topology.edges[0].model_copy(update={"length_m": 0.1}), *topology.edges[1:])
        changed = topology.model_copy(update={"edges": edges})
        return machines | {"a": machines["a"].model_copy(update={"topology": changed})}

    monkeypatch.setattr(counted, "machines", shorter_line)
    assert rebuilt(counted, folder) == {"a"}
    monkeypatch.setattr(content, "code_version", lambda: "other code")
    assert rebuilt(counted, folder) == {"a", "b"}
    monkeypatch.undo()
    assert rebuilt(counted, folder) == set()  # all of the earlier ones are still there


def test_damage_is_rebuilt_on_opening(counted: CountedRigs, folder: Path) -> None:
    first, _ = open_all(counted, folder)
    path = field_file(first.folder, "sensor_features")
    content = path.read_bytes()
    path.write_bytes(content[:-7] + bytes([content[-7] ^ 4]) + content[-6:])
    assert rebuilt(counted, folder, verify=Verify.OPEN) == {"a"}
    assert path.read_bytes() == content
    path.write_bytes(content[:1000])
    assert rebuilt(counted, folder, verify=Verify.NEVER) == {"a"}
    assert path.read_bytes() == content
    (first.folder / "manifest.json").unlink()
    assert rebuilt(counted, folder, verify=Verify.READ) == {"a"}


def test_a_backend_chosen_outside_builds(two_rigs: RigParts, folder: Path) -> None:
    with joblib.parallel_config(backend="threading", n_jobs=3):
        stores = open_all(two_rigs, folder, n_jobs=None)
    assert [len(store) for store in stores] == [40, 30]


def program(folder: Path, seconds: float, n_jobs: int = 1) -> "subprocess.Popen[str]":
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, str(here / "build_rigs.py"), str(folder), str(seconds), str(n_jobs)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), *sys.path])},
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.npy")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    build(folder, slow_rigs(0.0))
    return contents(folder)


def test_a_build_killed_at_ten_random_moments_always_ends_complete(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """Every kill hits another state; the store then opens complete, or is built on from there."""
    source, random = slow_rigs(0.03), np.random.default_rng(0)
    killed = 0
    for attempt in range(10):
        folder = tmp_path / f"stores{attempt // 3}"  # three kills one after the other, then anew
        process = multiprocessing.get_context("fork").Process(target=build, args=(folder, source))
        process.start()
        time.sleep(random.uniform(0.0, 0.3))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        for path in folder.glob("*"):
            if path.is_dir() and path.suffix != ".building":
                GraphStore(path, Verify.OPEN)  # whatever has its final name is complete
    assert killed >= 5
    for folder in tmp_path.iterdir():
        build(folder, slow_rigs(0.0))
        assert contents(folder) == expected
        assert not list(folder.glob("*.building"))


def test_a_parallel_build_that_is_killed_is_finished_by_the_next(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    folder = tmp_path / "stores"
    with program(folder, 0.2, n_jobs=2) as process:
        while not any(path.stat().st_size for path in folder.glob("*.building/journal.jsonl")):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    try:
        build(folder, slow_rigs(0.0))
        assert contents(folder) == expected
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers would wait for minutes


def test_two_processes_that_build_the_same_stores_end_with_one_good_copy(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    folder = tmp_path / "stores"
    processes = [program(folder, 0.05) for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert output.split() == ["building", "built"]
    assert contents(folder) == expected
    assert not list(folder.glob("*.building"))


def test_a_long_recording_is_planned_without_a_number_for_every_window(
    counted: CountedRigs,
) -> None:
    plan = plan_windows(counted, counted.machines()["b"], SPEC)
    spec = store_spec(counted, plan, ENGINEER)
    assert (len(plan), spec.windows, spec.chunks) == (30, 30, 1)
    assert [len(starts) for _, starts in plan.stretches(range(18, 22))] == [2, 2]
