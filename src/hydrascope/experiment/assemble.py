"""Building objects from settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from hydrascope import __version__
from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.recombination import RecombinationSpec
from hydrascope.data.references import ReferenceSpec
from hydrascope.data.split_spec import SplitSpec
from hydrascope.data.store.reader import Verify
from hydrascope.data.transforms import (
    EdgeDropout,
    FeatureNoise,
    SensorDropout,
    TimeJitter,
    Transform,
)
from hydrascope.data.unseen import learned_times
from hydrascope.experiment.base import Target
from hydrascope.experiment.data_settings import DataSettings, TransformSettings
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.run_settings import TrackingSettings
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ClosedFormModel, Model
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.scored_windows import ScoredWindows
from hydrascope.models.recipe import (
    DiagnoserRecipe,
    ModelRecipe,
    NormaliserRecipe,
    Parts,
    imported,
    load_diagnoser,
    model_class,
)
from hydrascope.schemas.calibration import Calibration
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.task import TaskSpec
from hydrascope.tasks.losses import class_weights
from hydrascope.telemetry.source import METHODS, TelemetrySource
from hydrascope.training.checkpoint import Checkpoint
from hydrascope.training.module import DiagnosisModule, LossPlan
from hydrascope.training.schedule import WarmupCosine

SOME_LABELS = "some_labels"
"""The key of a checkpoint's record that says whether heads may have lacked labels; not in older
ones."""


def build_datamodule(
    data: DataSettings, features: FeatureConfig, task: TaskSpec, seed: int
) -> HydraulicDataModule:
    """Build the data module; it reads nothing before its `setup`."""
    return HydraulicDataModule(
        build_source(data.source),
        WindowSpec(**data.window.model_dump(exclude={"short"})),
        FeatureEngineer(features),
        task,
        store=StoreConfig(
            folder=Path(data.store.folder).absolute(),
            n_jobs=data.store.n_jobs,
            preload=data.store.preload,
            verify=Verify(data.store.verify),
            progress=True,
        ),
        split=SplitSpec(**data.split.model_dump(), fold=data.fold, window_s=data.window.window_s),
        loader=DataLoaderConfig(
            batch_size=data.batch_size,
            num_workers=data.num_workers,
            balance=data.balance,
            seed=seed,
        ),
        transforms=_transforms(data.transforms),
        recombination=RecombinationSpec(
            data.transforms.recombination,
            data.transforms.drift,
            data.transforms.drift_reach,
            data.transforms.transplants,
        ),
        reference=ReferenceSpec(
            data.reference.label, data.reference.first_h, data.normalise.per_step
        ),
        short=data.window.short,
    )


def build_source(settings: Target) -> TelemetrySource:
    """Build the source; of what a checkpoint names, nothing but a source is called.

    Raises:
        SpecError: There is no such class, or it is not a source.
    """
    try:
        kind = imported(settings.target)
    except SpecError as error:
        raise SpecError(f"data.source._target_: {error}") from None
    if not isinstance(kind, type) or not all(
        callable(getattr(kind, name, None)) for name in METHODS
    ):
        raise SpecError(
            f"data.source._target_: {settings.target!r} is not accepted; expected a class with the "
            f"methods {', '.join(METHODS)}"
        )
    # Plain lists and mappings: only this room knows OmegaConf's types.
    keys = {**settings.model_dump(by_alias=True), "_convert_": "all", "_recursive_": False}
    source: TelemetrySource = instantiate(keys)
    return source


def model_kind(settings: TrainSettings) -> type[Model]:
    """Return the class of the model.

    Raises:
        SpecError: There is no such class, it is not a model, or its `Config` rejects a key.
    """
    try:
        kind = model_class(settings.model.target)
    except SpecError as error:
        raise SpecError(f"model._target_: {error}") from None
    validate(kind.Config, settings.model.keys, source="model")
    return kind


def recipe_of(settings: TrainSettings, spec: InputSpec) -> DiagnoserRecipe:
    """Return the recipe of a training's diagnoser, with nothing fitted yet."""
    normaliser = NormaliserRecipe(**settings.data.normalise.model_dump())
    if method := settings.features.normalization:
        normaliser = normaliser.model_copy(update={"method": method})
    return DiagnoserRecipe(
        model=ModelRecipe(target=settings.model.target, config=settings.model.keys),
        normaliser=normaliser,
        input_spec=spec,
        task=settings.task,
    )


def trained_recipe(
    settings: TrainSettings, spec: InputSpec, trained: TensorDiagnoser
) -> DiagnoserRecipe:
    """Return the recipe from which a trained diagnoser can be rebuilt."""
    model, calibration = trained.model, trained.calibration
    return recipe_of(settings, spec).model_copy(
        update={
            "fitted": model.record() if isinstance(model, ClosedFormModel) else None,
            "calibration": None if calibration is None else calibration.spec,
        }
    )


def parts_of(checkpoint: Checkpoint) -> Parts:
    """Return what the diagnoser of a checkpoint consists of."""
    settings = TrainSettings.model_validate(checkpoint.record["settings"])
    spec = InputSpec.model_validate(checkpoint.record["input_spec"])
    return Parts(_with_fitted(recipe_of(settings, spec), checkpoint), checkpoint.weights)


def _with_fitted(recipe: DiagnoserRecipe, checkpoint: Checkpoint) -> DiagnoserRecipe:
    calibration = checkpoint.calibration and Calibration.model_validate(checkpoint.calibration)
    return recipe.model_copy(update={"fitted": checkpoint.fitted, "calibration": calibration})


def load_checkpoint(recipe: DiagnoserRecipe, checkpoint: Checkpoint) -> TensorDiagnoser:
    """Return the diagnoser of a checkpoint, in evaluation mode.

    Args:
        recipe: The output of `recipe_of`; its fitted parts are replaced by the checkpoint's.
        checkpoint: The checkpoint of a training.

    Raises:
        SpecError: As in `load_diagnoser`.
    """
    diagnoser = load_diagnoser(_with_fitted(recipe, checkpoint), checkpoint.weights)
    if diagnoser.normality is not None and (found := checkpoint.in_turn):
        in_turn = {level: ScoredWindows(*columns) for level, columns in found.items()}
        diagnoser.normality.in_turn = in_turn
    return diagnoser


def build_module(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: TensorDiagnoser
) -> DiagnosisModule:
    """Build the module that Lightning trains."""
    return DiagnosisModule(
        diagnoser,
        settings.task,
        losses=LossPlan(
            **settings.loss.model_dump(),
            class_weights={
                head.name: class_weights(head, data.training_targets(head.name))
                for head in settings.task.heads
                if head.class_weights
            },
        ),
        make_optimizer=_optimizer_factory(settings),
        schedule=WarmupCosine(**settings.optim.schedule.model_dump()),
        seed=settings.seed,
        record=checkpoint_record(settings, data),
    )


def _optimizer_factory(settings: TrainSettings) -> Any:
    """Return a function that makes the optimiser from parameter groups."""
    optim = settings.optim
    keys = optim.model_dump(by_alias=True, exclude={"schedule", "ema_decay"})
    if settings.hardware.precision.endswith("mixed"):
        keys.pop("fused", None)  # Lightning cannot clip a fused optimiser's gradients
    return instantiate({**keys, "_partial_": True})


def checkpoint_record(settings: TrainSettings, data: HydraulicDataModule) -> dict[str, Any]:
    """Return the plain data from which a checkpoint's diagnoser can be rebuilt.

    It does not say where the run was, so that a run resumed in another folder writes the same file.
    """
    nowhere = {
        "run_dir": ".",
        "init": None,
        "resume": None,
        "tracking": TrackingSettings(mlflow=None, wandb=None),
    }
    recorded = settings.model_copy(update=nowhere)
    return {
        "version": __version__,
        "settings": recorded.model_dump(mode="json", by_alias=True),
        "input_spec": data.input_spec.model_dump(mode="json"),
        "data_fingerprint": data.source.fingerprint,
        SOME_LABELS: settings.init is not None,
        "learned": learned_times(data.table, data.split, data.window.window_s),
    }


def _transforms(settings: TransformSettings) -> list[Transform]:
    """Return the transforms that are switched on."""
    strengths: dict[Callable[[Any], Transform], float] = {
        TimeJitter: settings.time_jitter,
        FeatureNoise: settings.feature_noise,
        SensorDropout: settings.sensor_dropout,
        EdgeDropout: settings.edge_dropout,
    }
    return [kind(strength) for kind, strength in strengths.items() if strength]
