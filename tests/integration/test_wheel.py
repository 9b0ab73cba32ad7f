"""The wheel alone, in an environment and a folder of its own, does what a clone does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pytest
from jobs import QUICK, ROOT, small
from tests.support.rig_requests import ask, request_bodies
from tests.support.services import free_port

from hydrascope import __version__

MODEL = """
from hydrascope.models.network import UniversalTemporalGNN


class Mine(UniversalTemporalGNN):
    pass
"""
CONFIG = """
defaults: [mlp, _self_]
_target_: my_models.Mine
name: mine
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it of a copy, because the build leaves files behind."""
    folder = tmp_path_factory.mktemp("build")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True)
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder / "dist", folder)
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the commands of an environment that has nothing of the clone.

    What Hydrascope depends on is that of these tests; files of theirs that name further folders,
    such as the clone's, are not read there.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    (site,) = folder.glob("lib/*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], env=environment(), check=True)


def environment() -> dict[str, str]:
    """Return that of the tests, without what leads to the clone."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"OMP_NUM_THREADS": "1"}


def run(commands: Path, folder: Path, *arguments: str) -> str:
    """Run the command in a folder, and return what it printed."""
    told = [commands / "hydrascope", *arguments]
    done = subprocess.run(told, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_configuration_of_the_clone(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = {
            name.removeprefix("hydrascope/conf/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("hydrascope/conf/")
        }
    conf = ROOT / "conf"
    files = (file for file in conf.rglob("*") if file.is_file())
    assert held == {file.relative_to(conf).as_posix(): file.read_bytes() for file in files}


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    source = ROOT / "src"
    own = {
        file.relative_to(source).as_posix()
        for file in (source / "hydrascope").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with ZipFile(wheel) as archive:
        assert own <= set(archive.namelist())


def test_the_environment_has_the_wheel_and_not_the_clone(commands: Path, tmp_path: Path) -> None:
    assert run(commands, tmp_path, "--version") == f"hydrascope {__version__}\n"
    code = "import hydrascope; print(hydrascope.__file__)"
    said = subprocess.run(
        [commands / "python", "-c", code], env=environment(), capture_output=True, text=True
    )
    assert Path(said.stdout).is_relative_to(commands.parent)


def test_the_rig_is_trained_judged_shipped_and_served(commands: Path, tmp_path: Path) -> None:
    brief = small(*QUICK, "trainer.max_epochs=1")
    run(commands, tmp_path, "train", "experiment=zema", "run_dir=run", *brief)
    ckpt = "ckpt=run/checkpoints/best.ckpt"
    run(commands, tmp_path, "evaluate", ckpt, "run_dir=judged", "missing_sensors=false")
    assert (tmp_path / "judged" / "report.html").is_file()
    run(commands, tmp_path, "export", ckpt, "output=bundles/rig")
    assert "zema" in run(commands, tmp_path, "bundle", "show", "bundles/rig")
    with served(commands, tmp_path, "bundle=bundles/rig") as port:
        answer = ask(port, next(request_bodies([3])))
    assert answer["equipment_id"] == "zema"
    assert {"cooler", "valve"} < answer["components"].keys()


@contextmanager
def served(commands: Path, folder: Path, *settings: str) -> Iterator[int]:
    """Serve on a free port, which is handed out once it answers; then stop."""
    port = free_port()
    told = [commands / "hydrascope", "serve", *settings, f"port={port}"]
    process = subprocess.Popen(told, cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not ready(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield port
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()


def ready(port: int) -> bool:
    """Return whether the service says that it is."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture
def own_model(tmp_path: Path) -> tuple[str, ...]:
    """Write a model and its configuration; return the overrides that choose it."""
    (tmp_path / "my_models.py").write_text(MODEL)
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "mine.yaml").write_text(CONFIG)
    return ("--config-dir", "mine", "model=mine", "model.hidden_channels=16")


def test_a_model_of_the_folder_is_found_by_its_own_configuration(
    commands: Path, own_model: tuple[str, ...], tmp_path: Path
) -> None:
    assert "valid: model=mine" in run(commands, tmp_path, "config", "validate", *own_model)


@pytest.mark.slow
def test_a_model_of_the_folder_is_trained(
    commands: Path, own_model: tuple[str, ...], tmp_path: Path
) -> None:
    brief = small(*QUICK, "trainer.max_epochs=1")
    run(commands, tmp_path, "train", *own_model, "run_dir=run", *brief)
    assert "mine" in json.loads((tmp_path / "run" / "results.json").read_text())["test"]
