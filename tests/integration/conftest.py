"""Fixtures that run the real jobs on the real rig, small."""

from pathlib import Path

import pytest
from jobs import Train, small, train_settings

from hydrascope.experiment import train


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
