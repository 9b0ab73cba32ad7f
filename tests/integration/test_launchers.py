"""Every launcher runs commands in processes of their own, as many at a time as are wanted."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hydrascope.experiment.launcher.base import Job, Launcher, keep_busy, open_launcher
from hydrascope.experiment.launcher.command import Command
from hydrascope.experiment.launcher.launcher_settings import (
    LauncherSettings,
    LocalSettings,
    RaySettings,
    SlurmSettings,
)
from hydrascope.schemas.errors import SpecError

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("forks")]

SETTINGS: dict[str, LauncherSettings] = {
    "local": LocalSettings(kind="local", parallel=2),
    "ray": RaySettings(kind="ray", parallel=2, address=None, cpus=1, gpus=0),
    "slurm": SlurmSettings(
        kind="slurm",
        parallel=2,
        executor="local",
        partition=None,
        minutes=5,
        cpus=1,
        gpus=0,
        memory_gb=None,
        options={},
    ),
}

# Writes who it is, waits until `others` processes have done so, and ends with a code.
MEET = """
import json, os, pathlib, sys, time
mine, others, code = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
part = mine.with_suffix(".part")
part.write_text(json.dumps([os.getpid(), os.getppid(), os.getsid(0)]))
part.rename(mine)
while len(list(mine.parent.glob("*.json"))) < others:
    time.sleep(0.05)
sys.exit(code)
"""
# Starts a child, says who both are, and never ends.
LINGER = """
import pathlib, subprocess, sys, os, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
mine = pathlib.Path(sys.argv[1])
part = mine.with_suffix(".part")
part.write_text(f"{os.getpid()} {child.pid}")
part.rename(mine)
time.sleep(600)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def command(folder: Path, program: str, name: str, *arguments: object) -> Command:
    (folder / "program.py").write_text(program, encoding="utf-8")
    words = (str(folder / name), *map(str, arguments))
    return Command("program", words, folder / f"{name}.log", "json", folder)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(scope="module", params=SETTINGS)
def launcher(
    request: pytest.FixtureRequest, ray_settings: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launcher]:
    with open_launcher(SETTINGS[request.param], tmp_path_factory.mktemp("launcher")) as opened:
        yield opened


def test_two_run_at_a_time_in_sessions_of_their_own_and_tell_how_they_ended(
    launcher: Launcher, tmp_path: Path
) -> None:
    # Each waits for the other, so one after the other would never end; a third has its turn then.
    codes: dict[Job, int] = {}
    commands = [command(tmp_path, MEET, f"{n}.json", 2, code) for n, code in enumerate((0, 3, 0))]

    def settled(job: Job) -> bool:
        if job.exit_code is not None:
            codes[job] = job.exit_code
        return job.exit_code is not None

    keep_busy((launcher.start(each) for each in commands), settled, 2)
    assert sorted(codes.values()) == [0, 0, 3]
    who = [json.loads(file.read_text()) for file in tmp_path.glob("*.json")]
    assert len(who) == 3
    assert all(pid == session and pid != os.getpid() for pid, _, session in who)


def test_this_computer_forks_commands_with_imports_from_one_process_that_has_them(
    tmp_path: Path,
) -> None:
    def settled(job: Job) -> bool:
        return job.exit_code is not None

    commands = [command(tmp_path, MEET, f"{n}.json", 3, 0) for n in range(3)]
    commands[2] = replace(commands[2], imports=None)
    with open_launcher(SETTINGS["local"], tmp_path) as local:
        keep_busy((local.start(each) for each in commands), settled, 3)
    parents = [json.loads((tmp_path / f"{n}.json").read_text())[1] for n in range(3)]
    assert parents[0] == parents[1] != parents[2] == os.getpid()


def test_a_forked_command_is_as_one_that_was_started(tmp_path: Path) -> None:
    program = """
import json, multiprocessing, os, pathlib, sys
told = [os.getcwd(), os.environ.get("ONLY_HERE"), multiprocessing.get_start_method(),
        sys.argv[1:], sys.stdin.fileno(), __name__, os.getsid(0) == os.getpid()]
pathlib.Path(sys.argv[1]).write_text(json.dumps(told))
print("printed"); print("told", file=sys.stderr)
sys.exit(7)
"""
    found = []
    for imports in ("json", None):
        given = command(tmp_path, program, f"{imports}.json", "a", "b")
        environment = {**given.environment, "ONLY_HERE": "yes"}
        with open_launcher(SETTINGS["local"], tmp_path) as local:
            job = local.start(replace(given, imports=imports, environment=environment))
            wait_for(partial(lambda job: job.exit_code is not None, job))
            assert job.exit_code == 7
            job.end()
        told = json.loads((tmp_path / f"{imports}.json").read_text())
        told[3].pop(0)
        found.append((told, sorted((tmp_path / f"{imports}.json.log").read_text().split())))
    assert found[0] == found[1]
    assert found[0][1] == ["printed", "told"]


def test_one_that_is_ended_leaves_no_process(launcher: Launcher, tmp_path: Path) -> None:
    job = launcher.start(command(tmp_path, LINGER, "pids"))
    wait_for((tmp_path / "pids").is_file)
    assert job.exit_code is None
    job.end()
    pids = [int(each) for each in (tmp_path / "pids").read_text().split()]
    wait_for(lambda: not any(map(alive, pids)))


def test_a_launcher_whose_extra_is_missing_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hydrascope.experiment.launcher.base.find_spec", lambda _name: None)
    complaint = r"'slurm' needs submitit; pip install 'hydrascope\[slurm\]'"
    with pytest.raises(SpecError, match=complaint), open_launcher(SETTINGS["slurm"], tmp_path):
        pass


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    slurm = SETTINGS["slurm"].model_copy(update={"executor": "slurm"})
    if shutil.which("srun"):
        pytest.skip("this machine belongs to a SLURM cluster")
    complaint = r"launcher\.executor: 'slurm': .*; accepted here: local"
    with pytest.raises(SpecError, match=complaint), open_launcher(slurm, tmp_path):
        pass
