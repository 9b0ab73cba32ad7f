"""Fixtures that run the real jobs on the real rig, small."""

import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest
from any_build import FLEET
from jobs import (
    ALL_HELD_OUT,
    QUICK,
    Train,
    evaluate_settings,
    export_settings,
    small,
    train_settings,
)
from tests.support.services import Served, service
from tests.support.watch_workers import PRELOADED

from hydrascope.evaluation import missing
from hydrascope.experiment import evaluate, export, train
from hydrascope.experiment.importing import JOB_IMPORTS

APART = (
    *("test_ddp", "test_examples", "test_hardware", "test_noise", "test_notebooks_run"),
    *("test_process_grid", "test_scripts", "test_training"),
)
"""Files whose tests take long each and share little."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let one worker have all tests of a file, so that what they share is made once.

    `trained` and `ckpt_of_any` are shared by several files.
    """
    shared = {"trained", "ckpt_of_any"} & {*getattr(item, "fixturenames", ())}
    if shared:
        item.add_marker(pytest.mark.xdist_group(min(shared)))
    elif item.path.stem not in APART and item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def run_training(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Run a small training in this process and return its folder."""

    def run(*overrides: str) -> Path:
        run_dir = tmp_path_factory.mktemp("run")
        train.run(train_settings(f"run_dir={run_dir}", *small(*overrides)))
        return run_dir

    return run


@pytest.fixture(scope="session")
def forks() -> None:
    """Start the process from which trainings and workers of a watch are forked.

    There is one, and it imports what it is asked for first. So it is asked for all of it.
    """
    multiprocessing.set_forkserver_preload([JOB_IMPORTS, *PRELOADED])
    forkserver.ensure_running()


@pytest.fixture(scope="module")
def ray_settings() -> Iterator[None]:
    """Set what a Ray cluster that a test starts takes from the environment."""
    short = tempfile.mkdtemp(prefix="hs-")  # Ray keeps sockets there, whose paths may not be long
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", short)
        patch.setenv("RAY_worker_niceness", "0")  # other tests may keep the machine busy
        yield
    shutil.rmtree(short)


@pytest.fixture(scope="session")
def trained(run_training: Train) -> Path:
    """Return the folder of a run of three epochs."""
    return run_training("trainer.max_epochs=3", ALL_HELD_OUT)


@pytest.fixture(scope="session")
def best(trained: Path) -> str:
    """Return the path of that run's best checkpoint."""
    return str(trained / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="session")
def judged(best: str, light: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of its evaluation, beside one of `light`; treat as read-only."""
    other, mine = (tmp_path_factory.mktemp(name) for name in ("other", "judged"))
    evaluate.run(evaluate_settings(light, other))
    compare = str(other / "evaluation.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(missing, "PAIRS", 5)  # of 136: a minute less
        evaluate.run(evaluate_settings(best, mine, compare=compare, missing_sensors=True))
    return mine


@pytest.fixture(scope="session")
def bundle(best: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of its bundle; treat as read-only."""
    folder = tmp_path_factory.mktemp("bundles") / "rig"
    export.run(export_settings(best, folder))
    return folder


@pytest.fixture(scope="session")
def light(run_training: Train) -> str:
    """Return the path of a checkpoint that is quickly exported: few steps, one graph block."""
    run_dir = run_training(*QUICK, "trainer.max_epochs=1", ALL_HELD_OUT)
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="session")
def ckpt_of_any(run_training: Train) -> str:
    """Return the path of a checkpoint that reads any build."""
    return str(run_training(*FLEET) / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="session")
def bundle_of_any(ckpt_of_any: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of its bundle; treat as read-only."""
    folder = tmp_path_factory.mktemp("bundles") / "any"
    export.run(export_settings(ckpt_of_any, folder))
    return folder


@pytest.fixture(scope="session")
def served_process(bundle: Path) -> Iterator[Served]:
    """Run serve.py in a process of its own; its queue is short."""
    with service(bundle, "queue=8") as running:
        yield running
