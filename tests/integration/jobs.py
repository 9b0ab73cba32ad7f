"""What the integration tests share: small overrides and composed settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tests.support.shared_store import STORE

from hydrascope.experiment.data_settings import JudgedData, MovedSource
from hydrascope.experiment.job_settings import (
    EvaluateSettings,
    ExportSettings,
    HardwareSettings,
    NormalityChange,
    TrainSettings,
    validate_export,
    validate_train,
)
from hydrascope.experiment.overrides import readable

ROOT = Path(__file__).parents[2]

SIZE = ("model.hidden_channels=16",)
"""Of a network."""

SMALL = (
    f"data.store.folder={STORE}",
    "hardware.threads=1",
    *SIZE,
    "trainer.limit_train_batches=3",
    "trainer.progress_bar=false",
    "tracking=none",
    "baselines=false",
)
"""Overrides under which a training takes seconds; the data stay the real ones."""

QUICK = (
    "data.window.steps=2",
    "features.patch=false",
    "model.spatial_layers=1",
    "model.cross_task=none",
)
"""Beside them, where the network's size does not matter."""

FEW_HELD_OUT = "data.split.val_fraction=0.03"
"""Of the rig, some 60 windows to validate and calibrate with in place of some 200."""

ALL_HELD_OUT = "data.split.val_fraction=0.1"
"""The usual ones, for the runs that many tests judge."""

_OTHER_DATA = (
    "experiment=fleet",
    "experiment=zema_",
    "data=",
    "data.source",
    "data.split",
    "+task.normality",
)
"""Beginnings of overrides by which the held-out windows are not these of the rig."""

_CLOSED_FORM = {
    f"model={name}"
    for name in (
        *("discriminant", "linear", "mahalanobis", "mahalanobis_cycle", "pca_t2", "pca_spe"),
        *("nearest_neighbours", "isolation_forest"),
    )
}
"""Models without the keys of a network."""

DISCRIMINANT = (
    "model=discriminant",
    "model.draws=2",
    "model.steps=5",
    "model.transplants=2",
    "model.max_rows=1000",
)
"""One that is fitted quickly."""

CPU = HardwareSettings(
    accelerator="cpu",
    devices=1,
    precision="32-true",
    float8=None,
    compile=False,
    checkpointing=False,
    threads=1,
)
"""One core, as quiet as can be."""


def small(*overrides: str) -> list[str]:
    """Return `overrides` behind the small ones that go with them."""
    closed_form = _CLOSED_FORM & set(overrides)
    fitting = [each for each in SMALL if not (closed_form and each in SIZE)]
    if not any(each.startswith(_OTHER_DATA) for each in overrides):
        fitting.append(FEW_HELD_OUT)
    return [*fitting, *overrides]


def composed(*overrides: str, job: str = "train") -> dict[str, Any]:
    """Return a job's keys and values, as its script composes them."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(compose(job, readable(overrides)), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


Train = Callable[..., Path]


def train_settings(*overrides: str) -> TrainSettings:
    """Return a training's settings, validated as the script does."""
    return validate_train(composed(*overrides))


def evaluate_settings(
    ckpt: str,
    run_dir: Path,
    *,
    compare: str | None = None,
    missing_sensors: bool = False,
    judge: Literal["test", "all"] = "test",
    folder: Path | None = None,
    **normality: float | str,
) -> EvaluateSettings:
    """Return an evaluation's settings; `normality` are those that set its thresholds anew."""
    return EvaluateSettings(
        ckpt=ckpt,
        normality=NormalityChange.model_validate(normality),
        judge=judge,
        data=JudgedData(source=MovedSource(folder=str(folder) if folder else None)),
        compare=compare,
        missing_sensors=missing_sensors,
        run_dir=str(run_dir),
        hardware=CPU,
    )


def export_settings(ckpt: str, output: Path, *overrides: str) -> ExportSettings:
    """Return an export's settings, validated as the script does."""
    given = [f"ckpt={ckpt}", f"output={output}", *overrides]
    return validate_export(composed(*given, job="export"))
