"""Fixtures that run the real jobs on the real rig, small."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from hydrascope.experiment import train
from hydrascope.experiment.settings import TrainSettings, validate_train

ROOT = Path(__file__).parents[2]

_STORE = TemporaryDirectory(prefix="hydrascope-store-")  # removed when the tests end

SMALL = (
    f"data.store.folder={_STORE.name}",
    "hardware.threads=1",
    "model.hidden_channels=16",
    "trainer.limit_train_batches=3",
    "trainer.progress_bar=false",
    "tracking=none",
    "baselines=false",
)
"""Overrides under which a training takes seconds; the data stay the real ones."""

Train = Callable[..., Path]


def train_settings(*overrides: str) -> TrainSettings:
    """Compose and validate a training's settings, as the script does."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=list(overrides))
    return validate_train(OmegaConf.to_container(config, resolve=True))


@pytest.fixture(scope="session")
def run_training(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Run a small training in this process and return its folder."""

    def run(*overrides: str) -> Path:
        run_dir = tmp_path_factory.mktemp("run")
        train.run(train_settings(*SMALL, f"run_dir={run_dir}", *overrides))
        return run_dir

    return run


@pytest.fixture(scope="session")
def trained(run_training: Train) -> Path:
    """Return the folder of a run of three epochs."""
    return run_training("trainer.max_epochs=3")
