"""Classical detectors of faults, beside a model with normality.

They are the models of `models.detectors` with their defaults. They read the model's normalised
features, learn from the same training windows, and their thresholds are set in the same way.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.cross_parts import held_out_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.models.detectors.detector import Detector
from hydrascope.models.detectors.forest import IsolationForest
from hydrascope.models.detectors.mahalanobis import Mahalanobis
from hydrascope.models.detectors.neighbours import NearestNeighbours
from hydrascope.models.detectors.quadratic import PcaSpe, PcaT2
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.operating import covariates
from hydrascope.models.normality.scored_windows import joined
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.training.closed_form import fit_closed_form, with_model
from hydrascope.training.fit_normality import calibrate, scored

DETECTORS: Mapping[str, type[Detector]] = {
    "Mahalanobis": Mahalanobis,
    "PCA T²": PcaT2,
    "PCA SPE": PcaSpe,
    "nearest neighbours": NearestNeighbours,
    "isolation forest": IsolationForest,
}


def scoring_name(diagnoser: TensorDiagnoser, model: str) -> str:
    """Return the name of what scores normality: of the model, or of the detector beside it."""
    beside = None if diagnoser.normality is None else diagnoser.normality.beside
    return next((name for name, kind in DETECTORS.items() if kind is type(beside)), model)


def other_detectors(diagnoser: TensorDiagnoser) -> list[str]:
    """Return the names of the detectors that do not score already."""
    beside = None if diagnoser.normality is None else diagnoser.normality.beside
    scoring = type(beside or diagnoser.model)
    return [name for name, kind in DETECTORS.items() if kind is not scoring]


def detector_scores(
    name: str,
    data: HydraulicDataModule,
    diagnoser: TensorDiagnoser,
    spec: NormalitySpec,
    seed: int,
) -> NDArray[np.float64]:
    """Fit one of `DETECTORS` and return its scores of the test windows; above 1 is an alarm.

    The arguments and errors are those of `fitted_detector`.
    """
    own = fitted_detector(name, data, diagnoser, spec, seed)
    return machine_scores(score_table(own, data, spec))[1]


def fitted_detector(
    name: str,
    data: HydraulicDataModule,
    diagnoser: TensorDiagnoser,
    spec: NormalitySpec,
    seed: int,
) -> TensorDiagnoser:
    """Fit one of `DETECTORS`, set its thresholds, and return its diagnoser.

    Args:
        name: The detector's name.
        data: The data to learn from and to test on.
        diagnoser: The model's diagnoser, whose normalisers are used.
        spec: How thresholds are set.
        seed: Seed of the fit.

    Raises:
        SpecError: There are too few windows to learn from.
    """
    kind = DETECTORS[name]
    inputs = data.input_spec
    model = kind(kind.Config(), inputs, ())
    normality = Normality(inputs, covariates=covariates(inputs, spec.operating_point))
    own = with_model(diagnoser, model, normality)
    validation, *in_turn = held_out_parts(data, spec)
    found = []
    for part in in_turn:
        fit_closed_form(own, data, part.train, seed)
        found.append(scored(own, data, part.rows))
    normality.in_turn = joined(found) if found else None
    fit_closed_form(own, data, validation.train, seed)
    calibrate(own, data, spec)
    return own
