"""Fixtures that run the real jobs on the real rig, small."""

from pathlib import Path

import pytest
from jobs import Train, export_settings, small, train_settings

from hydrascope.experiment import export, train


@pytest.fixture(scope="session")
def run_training(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Run a small training in this process and return its folder."""

    def run(*overrides: str) -> Path:
        run_dir = tmp_path_factory.mktemp("run")
        train.run(train_settings(f"run_dir={run_dir}", *small(*overrides)))
        return run_dir

    return run


@pytest.fixture(scope="session")
def trained(run_training: Train) -> Path:
    """Return the folder of a run of three epochs."""
    return run_training("trainer.max_epochs=3")


@pytest.fixture(scope="session")
def best(trained: Path) -> str:
    """Return the path of that run's best checkpoint."""
    return str(trained / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="session")
def bundle(best: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of its bundle; treat as read-only."""
    folder = tmp_path_factory.mktemp("bundles") / "rig"
    export.run(export_settings(best, folder))
    return folder
