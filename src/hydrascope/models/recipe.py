"""The plain data that a diagnoser is built from, in checkpoints and in bundles."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from hydrascope.features.config import Method, NormaliseBy
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.regime_spec import RegimeSpec
from hydrascope.features.regimes import SETTING, Regimes
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ClosedFormModel, Model, Network
from hydrascope.models.blame.components import Blame
from hydrascope.models.calibration import Temperatures
from hydrascope.models.detectors.config import MahalanobisConfig
from hydrascope.models.detectors.detector import Detector
from hydrascope.models.detectors.mahalanobis import Mahalanobis
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.fitness.screening import Fitness
from hydrascope.models.normality.operating import covariates
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.calibration import Calibration
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.task import TaskSpec

_BLAME, _CALIBRATION, _FITNESS = "blame.", "calibration.", "fitness."
_NORMALIZER = "normalizer."
_OWN = "model.rows.own."
_LAST = (_BLAME, _FITNESS, _OWN)
"""The beginnings of the names of what is fitted at the end of a training."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRecipe(_Part):
    """The import path of a model's class, and the keys of its `Config`."""

    target: str
    config: dict[str, Any]


class NormaliserRecipe(_Part):
    """The options of the normalisation; its statistics are stored with the weights."""

    method: Method
    per_step: bool
    clip: float
    by: NormaliseBy
    regimes: RegimeSpec | None = None


class DiagnoserRecipe(_Part):
    """Everything that a diagnoser is built from, except its tensors."""

    model: ModelRecipe
    normaliser: NormaliserRecipe
    input_spec: InputSpec
    task: TaskSpec
    fitted: dict[str, Any] | None = None
    """The `ClosedFormModel.record` of a closed-form model; None for a network."""
    calibration: Calibration | None = None


class Parts(NamedTuple):
    """What a trained diagnoser consists of."""

    recipe: DiagnoserRecipe
    tensors: Mapping[str, Tensor]


def imported(target: str) -> object:
    """Import what a path such as `package.module.Class` names.

    Raises:
        SpecError: It does not exist.
    """
    module, _, name = target.rpartition(".")
    try:
        found: object = getattr(import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise SpecError(f"{target!r} is not accepted: {' '.join(str(error).split())}") from None
    return found


def model_class(target: str) -> type[Model]:
    """Import a model's class.

    Raises:
        SpecError: The class does not exist or is not a model.
    """
    found = imported(target)
    if not (isinstance(found, type) and issubclass(found, Network | ClosedFormModel)):
        raise SpecError(
            f"{target!r} is not accepted; expected a subclass of "
            f"{Network.__module__}.{Network.__qualname__} or {ClosedFormModel.__qualname__}"
        )
    return found


def build_model(recipe: DiagnoserRecipe) -> Model:
    """Return an untrained model.

    Raises:
        SpecError: As `model_class`. Also if its `Config` rejects a key, or if the model does not
            support the task or the machines.
    """
    chosen = model_class(recipe.model.target)
    config = validate(chosen.Config, recipe.model.config, source="model")
    return chosen(config, recipe.input_spec, recipe.task.heads)


def build_diagnoser(recipe: DiagnoserRecipe) -> TensorDiagnoser:
    """Return a diagnoser with unfitted normalisers and new weights from the current seed.

    Raises:
        SpecError: As `build_model`.
    """
    spec = recipe.input_spec
    keys = {**recipe.normaliser.model_dump(exclude={"regimes"}), "steps": spec.steps}
    rows = len(spec.sensor_kinds if recipe.normaliser.by == "kind" else spec.sensor_slots)
    regimes = _regimes(recipe.normaliser.regimes, spec)
    features = len(spec.feature_names)
    normalizer = FeatureNormalizer(rows, features=features, regimes=regimes, **keys)
    machine_normalizer = None
    if names := spec.machine_feature_names:
        machine_normalizer = FeatureNormalizer(1, features=len(names), **keys)
    model = build_model(recipe)
    return TensorDiagnoser(normalizer, model, machine_normalizer, _normality(recipe, model))


def load_diagnoser(recipe: DiagnoserRecipe, tensors: Mapping[str, Tensor]) -> TensorDiagnoser:
    """Return the diagnoser with these tensors, in evaluation mode.

    Raises:
        SpecError: As `build_diagnoser`. Also if the tensors do not belong to this recipe.
    """
    diagnoser = build_diagnoser(recipe)
    if isinstance(diagnoser.model, ClosedFormModel):
        diagnoser.model.prepare(recipe.fitted or {"questions": []})
    if any(name.startswith(_FITNESS) for name in tensors):
        diagnoser.fitness = Fitness(recipe.input_spec, recipe.task.heads)
    if any(name.startswith(_BLAME) for name in tensors):
        diagnoser.blame = Blame(recipe.input_spec)
    _load(diagnoser, tensors)
    if recipe.calibration is not None:
        diagnoser.calibration = Temperatures(diagnoser.heads, recipe.calibration)
    return diagnoser.eval()


def start_from(diagnoser: TensorDiagnoser, tensors: Mapping[str, Tensor]) -> None:
    """Give a diagnoser the weights and statistics of another, without what is fitted at the end.

    Both may be of other sensors if they have no statistics of them.

    Raises:
        SpecError: The tensors do not belong to its recipe.
    """
    kept = {name: each for name, each in tensors.items() if not name.startswith(_LAST)}
    if diagnoser.normalizer.method == "none":
        kept |= diagnoser.normalizer.state_dict(prefix=_NORMALIZER)
    own = {name: each for name, each in diagnoser.state_dict().items() if name.startswith(_OWN)}
    _load(diagnoser, own | kept)


def _load(diagnoser: TensorDiagnoser, tensors: Mapping[str, Tensor]) -> None:
    try:
        diagnoser.load_state_dict(tensors)
    except RuntimeError as error:
        raise SpecError(" ".join(str(error).split())) from None


def tensors_of(diagnoser: TensorDiagnoser) -> dict[str, Tensor]:
    """Return the tensors for `load_diagnoser`; the temperatures are in the recipe."""
    return {
        name: tensor
        for name, tensor in diagnoser.state_dict().items()
        if not name.startswith(_CALIBRATION)
    }


def _regimes(regimes: RegimeSpec | None, spec: InputSpec) -> Regimes | None:
    """Return the operating regimes, not fitted yet; None if there are none.

    Raises:
        SpecError: A build lacks a setting sensor, or the features lack the setting.
    """
    if regimes is None:
        return None
    path = "data.normalise.regimes"
    if SETTING not in spec.feature_names:
        raise SpecError(
            f"regimes are told apart by the feature {SETTING!r}, which is not among the features; "
            f"accepted: null, or features with {SETTING!r}",
            path=path,
        )
    setting = [-1] * len(spec.sensor_slots)
    for build, slots in spec.builds.items():
        for number, sensor in enumerate(regimes.sensors):
            row = spec.slot(build, sensor)
            if row == len(setting):
                known = ", ".join(spec.sensor_slots[each].partition("/")[2] for each in slots)
                raise SpecError(
                    f"{sensor!r} is no sensor of build {build!r}; accepted: {known}",
                    path=f"{path}.sensors",
                )
            setting[row] = number
    feature = spec.feature_names.index(SETTING)
    return Regimes(setting, len(regimes.sensors), regimes.number, feature)


def _normality(recipe: DiagnoserRecipe, model: Model) -> Normality | None:
    if recipe.task.normality is None:
        return None
    spec, beside = recipe.input_spec, None
    if not isinstance(model, Detector):
        beside = Mahalanobis(_config_beside(recipe), spec)
    return Normality(
        spec,
        level_share=recipe.task.normality.level_share,
        covariates=covariates(spec, recipe.task.normality.operating_point),
        beside=beside,
    )


def _config_beside(recipe: DiagnoserRecipe) -> MahalanobisConfig:
    """Return the options of the detector beside a model with heads."""
    return MahalanobisConfig(per_step=recipe.normaliser.per_step)


def detector_recipe(recipe: DiagnoserRecipe) -> DiagnoserRecipe:
    """Return the recipe of a diagnoser with the same scores of normality and no heads."""
    if issubclass(model_class(recipe.model.target), Detector):
        return recipe
    path = f"{Mahalanobis.__module__}.{Mahalanobis.__qualname__}"
    task = recipe.task.model_copy(update={"heads": ()})
    model = ModelRecipe(target=path, config=_config_beside(recipe).model_dump())
    return recipe.model_copy(update={"model": model, "task": task})
