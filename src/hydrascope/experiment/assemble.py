"""From settings to the objects they describe."""

from pathlib import Path
from typing import Any

from hydra.utils import get_class, instantiate
from pydantic import BaseModel

from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.recombination import RecombinationSpec
from hydrascope.data.references import ReferenceSpec
from hydrascope.data.splits import SplitSpec
from hydrascope.data.transforms import (
    EdgeDropout,
    FeatureNoise,
    SensorDropout,
    TimeJitter,
    Transform,
)
from hydrascope.experiment.model_settings import OUR_NETWORK
from hydrascope.experiment.settings import DataSettings, TrainSettings, TransformSettings
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.store import Verify
from hydrascope.models.base import ClosedFormModel, Model, Network
from hydrascope.models.calibration import Temperatures
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.normality import Normality
from hydrascope.schemas.calibration import Calibration
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.task import TaskSpec
from hydrascope.training.checkpoint import Checkpoint


def build_datamodule(
    data: DataSettings, features: FeatureConfig, task: TaskSpec, seed: int
) -> HydraulicDataModule:
    """Return the data module; nothing is read before its `setup`."""
    return HydraulicDataModule(
        # Plain lists and mappings: no room but this one knows OmegaConf's own.
        instantiate({**data.source.model_dump(by_alias=True), "_convert_": "all"}),
        WindowSpec(data.window.window_s, data.window.stride_s, data.window.steps),
        FeatureEngineer(features),
        task,
        store=StoreConfig(
            folder=Path(data.store.folder).absolute(),
            n_jobs=data.store.n_jobs,
            preload=data.store.preload,
            verify=Verify(data.store.verify),
            progress=True,
        ),
        split=SplitSpec(
            name=data.split.name,
            folds=data.split.folds,
            fold=data.fold,
            val_fraction=data.split.val_fraction,
            group=data.split.group,
            window_s=data.window.window_s,
            val_group=data.split.val_group,
            share=data.split.share,
        ),
        loader=DataLoaderConfig(
            batch_size=data.batch_size,
            num_workers=data.num_workers,
            balance=data.balance,
            seed=seed,
        ),
        transforms=_transforms(data.transforms),
        recombination=RecombinationSpec(
            data.transforms.recombination, data.transforms.drift, data.transforms.transplants
        ),
        reference=ReferenceSpec(
            data.reference.label, data.reference.first_h, data.normalise.per_step
        ),
    )


def build_diagnoser(settings: TrainSettings, spec: InputSpec) -> Diagnoser:
    """Return normaliser (not fitted) and model (fresh weights from the current seed).

    Raises:
        SpecError: As `model_choice`, or the model and the task or the machines do not go together.
    """
    keys = settings.data.normalise.model_dump(exclude={"by"}) | {"steps": spec.steps}
    normalizer = FeatureNormalizer(len(spec.sensor_slots), features=len(spec.feature_names), **keys)
    machine_normalizer = None
    if names := spec.machine_feature_names:
        machine_normalizer = FeatureNormalizer(1, features=len(names), **keys)
    model = build_model(settings, spec)
    normality = _normality(settings, spec, model)
    return Diagnoser(normalizer, model, machine_normalizer, normality)


def build_model(settings: TrainSettings, spec: InputSpec) -> Model:
    """Return a model that has learned nothing; raises as `build_diagnoser`."""
    model_class, config = model_choice(settings)
    return model_class(config, spec, settings.task.heads)


def load_diagnoser(settings: TrainSettings, spec: InputSpec, checkpoint: Checkpoint) -> Diagnoser:
    """Return the diagnoser that a checkpoint was written of, in evaluation mode.

    Raises:
        SpecError: It is of another version of Hydrascope.
    """
    diagnoser = build_diagnoser(settings, spec)
    if isinstance(diagnoser.model, ClosedFormModel):
        diagnoser.model.prepare(checkpoint.fitted or {"questions": []})
    try:
        diagnoser.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise SpecError(
            f"ckpt: its weights do not fit {settings.model.name} of this version of Hydrascope; "
            f"train again ({reason})"
        ) from None
    if checkpoint.calibration:
        calibration = Calibration.model_validate(checkpoint.calibration)
        diagnoser.calibration = Temperatures(diagnoser.heads, calibration)
    return diagnoser.eval()


def model_choice(settings: TrainSettings) -> tuple[type[Model], BaseModel]:
    """Return the model's class and its own configuration.

    Raises:
        SpecError: There is no such class, it is no model, or its `Config` does not accept a key.
    """
    target = settings.model.target
    try:
        model_class = get_class(target)
    except (ImportError, ValueError) as error:
        raise SpecError(
            f"model._target_: {target!r} is not accepted: {' '.join(str(error).split())}"
        ) from None
    if not issubclass(model_class, Network | ClosedFormModel):
        raise SpecError(
            f"model._target_: {target!r} is not accepted; expected a subclass of "
            f"{Network.__module__}.{Network.__qualname__} or {ClosedFormModel.__qualname__}"
        )
    return model_class, validate(model_class.Config, settings.model.keys, source="model")


def _normality(settings: TrainSettings, spec: InputSpec, model: Model) -> Normality | None:
    """Return what scores normality, if the task asks for it.

    Raises:
        SpecError: The model has no states to forecast from.
    """
    if settings.task.normality is None:
        return None
    if not isinstance(model, Network) or model.state_channels is None:
        raise SpecError(
            f"task.normality: {settings.model.name} gives no states to forecast from; accepted: "
            f"a network with state_channels, such as {OUR_NETWORK}"
        )
    identity = bool(settings.model.keys.get("sensor_identity", False))
    per_step = settings.data.normalise.per_step
    return Normality(spec, model.state_channels, identity=identity, per_step=per_step)


def optimizer_factory(settings: TrainSettings) -> Any:
    """Return what makes the optimiser from parameter groups."""
    optim = settings.optim
    keys = optim.model_dump(by_alias=True, exclude={"schedule", "ema_decay"})
    if settings.hardware.precision.endswith("mixed"):
        keys.pop("fused", None)  # Lightning cannot clip the gradients of fused ones there
    return instantiate({**keys, "_partial_": True})


def _transforms(settings: TransformSettings) -> list[Transform]:
    """Return those that are switched on."""
    transforms: list[Transform] = []
    if settings.time_jitter:
        transforms.append(TimeJitter(settings.time_jitter))
    if settings.feature_noise:
        transforms.append(FeatureNoise(settings.feature_noise))
    if settings.sensor_dropout:
        transforms.append(SensorDropout(settings.sensor_dropout))
    if settings.edge_dropout:
        transforms.append(EdgeDropout(settings.edge_dropout))
    return transforms
