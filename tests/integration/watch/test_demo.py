"""The demo: alarms about the faults that develop, nothing else, and nothing left at its end."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from demo.rigs import FAST, FAULTS, QUIET, RIGS, Rigs, condition_of
from jobs import DISCRIMINANT, ROOT, Train, export_settings
from tests.support.watch_workers import rows

from hydrascope.experiment import export

START_S = 300
ALARM_S = 180
COMPONENTS = {"pump": "main_pump", "accumulator": "accumulator"}
"""By label: where the fault is."""


@pytest.fixture(scope="module")
def bundle(run_training: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = run_training(*DISCRIMINANT, "data.window.steps=2", "features.patch=false")
    folder = tmp_path_factory.mktemp("bundles") / "demo"
    export.run(export_settings(str(run / "checkpoints" / "best.ckpt"), folder))
    return folder


class Demo:
    """A running demo and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str], printed: Path) -> None:
        self.process, self._printed = process, printed

    def said(self) -> str:
        return self._printed.read_text(encoding="utf-8")

    def wait(self, pattern: str, seconds: float) -> list[str]:
        """Return what matches once it is printed."""
        deadline = time.monotonic() + seconds
        while not (found := re.findall(pattern, self.said())):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.2)
        return found


@pytest.fixture
def demo(bundle: Path, tmp_path: Path) -> Iterator[Demo]:
    printed = tmp_path / "printed"
    command = [sys.executable, "-m", "demo", f"--bundle={bundle}", "--speed=60"]
    with printed.open("w") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield Demo(process, printed)
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.slow
def test_alarms_name_the_rigs_with_a_fault_and_ctrl_c_leaves_nothing_running(demo: Demo) -> None:
    (page,) = demo.wait(r"The page: (\S+)", START_S)
    with urllib.request.urlopen(page) as answer:
        assert b"Hydrascope" in answer.read()
    for name, fault in FAULTS.items():
        demo.wait(rf"Alarm: {name}, {COMPONENTS[fault.component]}, ", ALARM_S)
    assert set(re.findall(r"Alarm: (\w+)", demo.said())) == {*FAULTS}
    own = psutil.Process(demo.process.pid).children(recursive=True)
    given = " ".join(word for each in own for word in each.cmdline())
    found = re.search(r"database=(postgresql://\S+)", given)
    assert found
    ((machines,),) = rows(found[1], "SELECT count(*) FROM hydrascope.equipment")
    assert machines == RIGS
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0
    assert demo.said().endswith("Ended; nothing is left running.\n")
    assert not [each for each in own if _runs(each)]
    for port in (int(found[1].rpartition(":")[2].split("/")[0]), int(page.split(":")[2][:-1])):
        with socket.socket() as one, pytest.raises(ConnectionRefusedError):
            one.connect(("127.0.0.1", port))


def _runs(process: psutil.Process) -> bool:
    """Return whether a process runs; a dead one may still wait for the system to collect it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_faults_develop_in_steps_and_only_after_a_quiet_time() -> None:
    rigs = Rigs()
    assert len(rigs.machines) == RIGS
    assert {name for name in rigs.machines if condition_of(name, 0) != condition_of(name, 99)} == {
        *FAULTS
    }
    for name, fault in FAULTS.items():
        grades = [condition_of(name, window)[fault.component] for window in range(QUIET + FAST)]
        assert len(set(grades)) == 1 + len(fault.stages)
        assert len(set(grades[: QUIET + 1])) == 1
    for part in rigs.window(QUIET + FAST):
        assert part.frame["value"].notna().all()
        assert part.frame["time"].max() < rigs.end_of(QUIET + FAST)
