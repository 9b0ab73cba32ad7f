"""The statistics of the training windows that a diagnoser needs before it is trained."""

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.base import Network
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.recipe import DiagnoserRecipe, build_diagnoser
from hydrascope.training.closed_form import fit_beside
from hydrascope.training.fit_regimes import fit_regimes
from hydrascope.training.inputs import fit_inputs


def with_statistics(recipe: DiagnoserRecipe, data: HydraulicDataModule) -> TensorDiagnoser:
    """Return a diagnoser with everything except its weights fitted to the training windows."""
    diagnoser = build_diagnoser(recipe)
    if regimes := recipe.normaliser.regimes:
        fit_regimes(diagnoser.normalizer, data, regimes)
    diagnoser.normalizer.fit(data.training_parts(diagnoser.normalizer))
    if diagnoser.machine_normalizer is not None:
        diagnoser.machine_normalizer.fit(data.training_machine_parts())
    if isinstance(diagnoser.model, Network):
        fit_inputs(diagnoser, data)
    fit_beside(diagnoser, data)
    return diagnoser
