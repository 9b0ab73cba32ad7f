"""A diagnoser without what only serves the builds of its training."""

from torch import Tensor

from hydrascope.models.fitness.screening import Fitness
from hydrascope.models.recipe import Parts, build_diagnoser, tensors_of
from hydrascope.schemas.errors import SpecError

_NORMALIZER, _PLAUSIBILITY = "normalizer.", "fitness.plausibility."
_RELIANCE = "fitness.reliability.reliance"


def for_any_build(parts: Parts) -> Parts:
    """Return the parts of a diagnoser that answers every build as one that it has not seen.

    What is left out grows with the builds of the training: slots, statistics of single sensors.

    Raises:
        SpecError: The diagnoser has weights or statistics of single sensors that it needs.
    """
    if not build_diagnoser(parts.recipe).of_any_build:
        raise SpecError(
            "true is not accepted: this model has weights or statistics of single sensors; "
            "accepted: false, or a model of any build, such as that of experiment=pretrain, or of "
            "experiment=finetune with model.row_own=false",
            path="any_build",
        )
    spec = parts.recipe.input_spec.without_builds()
    recipe = parts.recipe.model_copy(update={"input_spec": spec})
    empty = build_diagnoser(recipe)
    empty.fitness = Fitness(spec, recipe.task.heads)
    of_none = tensors_of(empty)

    def reduced(name: str, tensor: Tensor) -> Tensor:
        if name == _RELIANCE:
            return tensor[:, -1:]  # that of a sensor without a slot
        by_kind = name.startswith(_NORMALIZER) and recipe.normaliser.method != "none"
        replaced = name.startswith((_NORMALIZER, _PLAUSIBILITY)) and not by_kind
        return of_none[name] if replaced else tensor

    return Parts(recipe, {name: reduced(name, each) for name, each in parts.tensors.items()})
