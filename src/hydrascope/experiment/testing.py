"""After the training: what is fitted last, then the test beside classical models."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baselines import BASELINES, baseline_predictions
from hydrascope.evaluation.calibrate import HeldOut, fit_calibration
from hydrascope.evaluation.detection import detection, machine_scores, score_table
from hydrascope.evaluation.detectors import DETECTORS, detector_scores
from hydrascope.evaluation.predictions import LocatedPredictions, predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.experiment.assemble import recipe_of
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.calibration import Temperatures
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.models.kernel.model import KernelDiscriminant
from hydrascope.models.linear import LinearModel
from hydrascope.models.linear_config import LinearConfig
from hydrascope.models.recipe import build_model
from hydrascope.training.checkpoint import write_fitted
from hydrascope.training.closed_form import fit_closed_form, fitted_rows, with_model
from hydrascope.training.fit_normality import calibrate

Results = dict[str, dict[str, dict[str, float]]]
"""Name of a model → head → metric."""

BESIDE: Mapping[str, tuple[type[KernelDiscriminant | LinearModel], Any]] = {
    "discriminant": (KernelDiscriminant, DiscriminantConfig()),
    "linear": (LinearModel, LinearConfig()),
}
"""Our quick models, fitted beside another one as the classical ones are, with their defaults."""


def complete(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    checkpoint: str,
    console: Console,
) -> None:
    """Fit normality's thresholds and the calibration, as far as asked for, and store them."""
    if settings.task.normality:
        with console.status("Setting the thresholds of normality …"):
            calibrate(diagnoser, data, settings.task.normality)
    weights = diagnoser.state_dict()
    calibration: dict[str, Any] | None = None
    if diagnoser.heads:
        with console.status("Calibrating …"):
            spec = fit_calibration(diagnoser.heads, answers_held_out(settings, data, diagnoser))
        for head, reason in spec.uncalibrated.items():
            console.print(f"{head} is not calibrated: {reason}")
        diagnoser.calibration = Temperatures(diagnoser.heads, spec)
        calibration = spec.model_dump(mode="json")
    write_fitted(checkpoint, weights, calibration)


def answers_held_out(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser
) -> HeldOut:
    """Return answers on the validation windows by what was not fitted to them.

    A model of closed form is fitted to them too. So a second one, which is not, answers in its
    place; a head that the second one cannot answer in the same words is not calibrated.
    """
    reasons: dict[str, str] = {}
    if isinstance(diagnoser.model, ClosedFormModel):
        asked = set(diagnoser.model.questions)
        second = build_model(recipe_of(settings, data.input_spec))
        assert isinstance(second, ClosedFormModel)
        diagnoser = with_model(diagnoser, second)
        fit_closed_form(diagnoser, data, data.split.train, settings.seed)
        reasons = {
            question.head: "without the validation windows training does not show all its classes"
            for question in asked.difference(second.questions)
        }
    predictions = predict(diagnoser, data.val_dataloader())
    return HeldOut(
        {name: rows for name, rows in predictions.items() if name not in reasons},
        reasons,
        data.units,
        data.split_spec.unit,
    )


def test(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    tested: Mapping[str, LocatedPredictions],
) -> Results:
    """Return each model's metrics, of the heads that it answers, on the test windows.

    Args:
        settings: Of the training.
        data: That it is tested on.
        diagnoser: What was trained.
        tested: Its answers on the test windows.
    """
    heads, own = settings.task.heads, settings.model.name
    results = {own: head_metrics(diagnoser.heads, tested, diagnoser.thresholds)}
    if not (settings.baselines and heads):
        return results
    for name, (kind, config) in BESIDE.items():
        if name != own:
            other = with_model(diagnoser, kind(config, data.input_spec, heads))
            fit_closed_form(other, data, fitted_rows(data), settings.seed)
            if other.heads:
                results[name] = head_metrics(other.heads, predict(other, data.test_dataloader()))
    for name in BASELINES:
        predictions = baseline_predictions(
            name, data.dataset.machines, data.split, heads, diagnoser.normalizer, settings.seed
        )
        known = [head for head in heads if head.name in predictions]
        results[name] = head_metrics(known, predictions)
    return results


def test_normality(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser
) -> dict[str, dict[str, Any]]:
    """Return how well the model, and classical detectors, tell healthy test windows apart."""
    spec, normality = settings.task.normality, diagnoser.normality
    if spec is None or normality is None:
        return {}
    windows, scores = machine_scores(score_table(diagnoser, data, spec))
    found = {settings.model.name: scores}
    for name in DETECTORS if settings.baselines else ():
        found[name] = detector_scores(
            name, data, diagnoser.normalizer, spec, windows, settings.seed
        )
    held_out = int(normality.held_out)
    return {name: detection(data, spec, windows, each, held_out) for name, each in found.items()}
