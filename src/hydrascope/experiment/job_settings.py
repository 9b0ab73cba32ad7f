"""The settings of each job: every key with its type and range.

Hydra composes YAML; these models validate the result before anything heavy is imported. Every
default is in `conf/`, next to its description, and nowhere else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, create_model

from hydrascope.evaluation.baseline_names import Baselines
from hydrascope.experiment.base import Settings, UserPath
from hydrascope.experiment.data_settings import DataSettings, JudgedData, MovedData
from hydrascope.experiment.launcher.launcher_settings import LauncherSettings, LocalSettings
from hydrascope.experiment.model_settings import (
    OUR_DETECTORS,
    OUR_DISCRIMINANT,
    OUR_LINEAR,
    OUR_NETWORK,
    DiscriminantSettings,
    LinearSettings,
    ModelSettings,
    NetworkSettings,
)
from hydrascope.experiment.run_settings import (
    CallbackSettings,
    HardwareSettings,
    LossSettings,
    OptimSettings,
    TrackingSettings,
    TrainerSettings,
)
from hydrascope.features.config import FeatureConfig
from hydrascope.packaging.pretrained import located
from hydrascope.schemas.errors import validate
from hydrascope.schemas.json_schema import DIALECT
from hydrascope.schemas.normality import (
    FalseAlarmRate,
    FalseAlarmsPer1000Hours,
    JudgedEvery,
    LevelShare,
    RunWindows,
    Smoothing,
    ThresholdRule,
)
from hydrascope.schemas.task import TaskSpec


def _existing_file(path: str) -> str:
    if not Path(path).is_file():
        raise ValueError("expected an existing file, such as …/checkpoints/best.ckpt of a run")
    return path


def _trained(named: str) -> str:
    if not named.startswith(TRACKED) and not Path(named).is_file():
        raise ValueError(
            "expected an existing file, such as …/checkpoints/best.ckpt of a run, or "
            "mlflow:RUN_ID, or models:/NAME@ALIAS"
        )
    return named


def _initial(named: str) -> str:
    if not named.startswith(TRACKED) and not located(Path(named)).exists():
        raise ValueError(
            "expected pretrained, a bundle, a checkpoint such as …/checkpoints/best.ckpt of a run, "
            "or mlflow:RUN_ID, or models:/NAME@ALIAS"
        )
    return named


TRACKED = ("mlflow:", "models:/")
"""The prefixes of the names of checkpoints in MLflow."""
CheckpointFile = Annotated[UserPath, AfterValidator(_existing_file)]
Trained = Annotated[UserPath, AfterValidator(_trained)]
"""A checkpoint: a file, or a name in MLflow."""
Initial = Annotated[UserPath, AfterValidator(_initial)]
"""A checkpoint or a bundle: a path, or a name of a checkpoint in MLflow."""


class TrainSettings(Settings):
    """All settings of `train.py`."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    init: Initial | None = None  # not in older checkpoints
    resume: CheckpointFile | None
    lr_find: bool = False  # not in older checkpoints
    baselines: Baselines
    run_dir: UserPath
    data: DataSettings
    features: FeatureConfig
    model: ModelSettings
    task: TaskSpec
    loss: LossSettings
    optim: OptimSettings
    trainer: TrainerSettings
    hardware: HardwareSettings
    tracking: TrackingSettings
    callbacks: CallbackSettings
    launcher: LauncherSettings = LocalSettings(kind="local", parallel=1)  # not in older checkpoints


_OF_MODELS: Mapping[str, type[ModelSettings]] = {
    OUR_NETWORK: NetworkSettings,
    OUR_DISCRIMINANT: DiscriminantSettings,
    OUR_LINEAR: LinearSettings,
    **OUR_DETECTORS,
}
OUR_MODELS: Mapping[str, type[TrainSettings]] = {
    target: create_model("TrainSettings", __base__=TrainSettings, model=(kind, ...))
    for target, kind in _OF_MODELS.items()
}
"""Class name → training settings for our own models, whose keys are known without an import."""


def validate_train(config: object) -> TrainSettings:
    """Check a composed configuration of `train.py`.

    Raises:
        SpecError: Names every wrong key, its value and what is accepted.
    """
    model = config.get("model") if isinstance(config, dict) else None
    target = model.get("_target_") if isinstance(model, dict) else None
    kind = OUR_MODELS.get(target, TrainSettings) if isinstance(target, str) else TrainSettings
    return validate(kind, config, source="train.py")


def train_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of all settings of `train.py`."""
    schema = TrainSettings.model_json_schema(by_alias=True)
    choices: list[dict[str, object]] = [{"$ref": "#/$defs/ModelSettings"}]
    for target, kind in OUR_MODELS.items():
        known = kind.model_fields["model"].annotation
        assert known is not None
        schema["$defs"][known.__name__] = known.model_json_schema(by_alias=True)
        # The keys of a user's own model are known only to its class.
        choices.append(
            {
                "if": {"properties": {"_target_": {"const": target}}},
                "then": {"$ref": f"#/$defs/{known.__name__}"},
            }
        )
    schema["properties"]["model"] = {"allOf": choices}
    return {"$schema": DIALECT, **schema, "title": "TrainSettings"}


class NormalityChange(Settings):
    """What thresholds are set anew with; null: as in training."""

    false_alarm_rate: FalseAlarmRate | None = None
    false_alarms_per_1000_h: FalseAlarmsPer1000Hours | None = None
    judged_every_h: JudgedEvery | None = None
    threshold: ThresholdRule | None = None
    run_windows: RunWindows | None = None
    smoothing: Smoothing | None = None
    level_share: LevelShare | None = None


class EvaluateSettings(Settings):
    """All settings of `evaluate.py`."""

    ckpt: Trained
    normality: NormalityChange = NormalityChange()
    judge: Literal["test", "all"]
    compare: UserPath | None
    missing_sensors: bool
    run_dir: UserPath
    data: JudgedData = JudgedData()
    hardware: HardwareSettings


class ExportSettings(Settings):
    """All settings of `export.py`."""

    ckpt: Trained
    output: UserPath
    data: MovedData = MovedData()
    gate: dict[str, dict[str, float]] | None
    any_build: bool
    onnx: bool
    sign_key: UserPath | None
    registry: Literal["mlflow"] | None
    uri: str
    name: str | None
    alias: Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$")] | None
    artifacts: str


def validate_evaluate(config: object) -> EvaluateSettings:
    """Check a composed configuration of `evaluate.py`; raises the errors of `validate_train`."""
    return validate(EvaluateSettings, config, source="evaluate.py")


def validate_export(config: object) -> ExportSettings:
    """Check a composed configuration of `export.py`; raises the errors of `validate_train`."""
    return validate(ExportSettings, config, source="export.py")
