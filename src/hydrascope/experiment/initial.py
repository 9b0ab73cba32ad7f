"""The weights that a training begins with, instead of random ones."""

from pathlib import Path
from typing import NamedTuple

from hydrascope.experiment.assemble import parts_of, recipe_of
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.restore import checkpoint_file
from hydrascope.graphs.input_spec import InputSpec, KnownBuilds
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.recipe import DiagnoserRecipe, Parts, build_diagnoser, start_from
from hydrascope.packaging.bundle import read_parts
from hydrascope.packaging.pretrained import located
from hydrascope.schemas.calibration import Calibration
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadSpec
from hydrascope.training.checkpoint import read_checkpoint

_FREE = ("dropout", "input_noise", "row_own")
"""The keys of a network that may differ: they are of the training alone, or fitted at its end."""


def check_initial(settings: TrainSettings) -> None:
    """Refuse initial weights if normality takes the statistics of this training's windows.

    Raises:
        SpecError: Names the key and what is accepted.
    """
    if settings.init and settings.task.normality:
        raise SpecError(
            f"init: {settings.init!r} is not accepted with task.normality, which takes the "
            "statistics of its own training's windows; accepted: null"
        )


class Initial(NamedTuple):
    """The weights and statistics of another training."""

    name: str
    """Where they are."""
    parts: Parts

    @classmethod
    def read(cls, name: str, settings: TrainSettings) -> "Initial":
        """Read what a training begins with.

        Args:
            name: A checkpoint, a bundle, or a name of a checkpoint in MLflow.
            settings: Those of the training.

        Raises:
            SpecError: It cannot be read, or its normalisation or heads are not those of the
                settings; names them.
        """
        found = cls(name, _read(name))
        _check_same(name, found.parts.recipe, recipe_of(settings, found.input_spec))
        return found

    @property
    def input_spec(self) -> InputSpec:
        """Its vocabulary."""
        return self.parts.recipe.input_spec

    @property
    def builds(self) -> KnownBuilds:
        """Which builds the training may be about."""
        return "own" if build_diagnoser(self.parts.recipe).of_any_build else "known"

    def diagnoser(self, recipe: DiagnoserRecipe) -> TensorDiagnoser:
        """Return the diagnoser that is trained further.

        Raises:
            SpecError: Its network is another one.
        """
        diagnoser = build_diagnoser(recipe)
        try:
            start_from(diagnoser, self.parts.tensors)
        except SpecError as error:
            raise SpecError(
                f"the weights of {self.name!r} do not fit the settings of model: {error}",
                path="init",
            ) from None
        return diagnoser


def initial_calibration(settings: TrainSettings) -> Calibration | None:
    """Return the calibration of the weights that a training began with, if there is one."""
    return Initial.read(settings.init, settings).parts.recipe.calibration if settings.init else None


def _read(init: str) -> Parts:
    if not init.endswith(".ckpt") and located(Path(init)).exists():
        return read_parts(Path(init))
    with checkpoint_file(init) as file:
        return parts_of(read_checkpoint(file))


def _check_same(init: str, begun: DiagnoserRecipe, recipe: DiagnoserRecipe) -> None:
    expected, given = _decisive(begun), _decisive(recipe)
    faults = [
        f"{key}: {given.get(key)!r} is not accepted with init={init!r}; accepted: "
        f"{expected.get(key)!r}"
        for key in expected | given
        if expected.get(key) != given.get(key)
    ]
    if faults:
        raise SpecError(*faults, source="train.py")


def _decisive(recipe: DiagnoserRecipe) -> dict[str, object]:
    """Return the settings that decide what the weights mean, by key."""
    model = {key: each for key, each in recipe.model.config.items() if key not in _FREE}
    return {
        "model._target_": recipe.model.target,
        **{f"model.{key}": each for key, each in model.items()},
        **{f"data.normalise.{key}": each for key, each in recipe.normaliser.model_dump().items()},
        "task.heads": _answers(recipe.task.heads),
    }


def _answers(heads: tuple[HeadSpec, ...]) -> list[str]:
    return [f"{head.name} ({head.level}, {head.kind}, {head.size})" for head in heads]
