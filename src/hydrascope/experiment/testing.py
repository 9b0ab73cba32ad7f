"""The steps after a training: calibration, then the test against baselines."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baseline_models import BASELINES, Baseline
from hydrascope.evaluation.baseline_names import Baselines, chosen_baselines
from hydrascope.evaluation.baselines import baseline_predictions
from hydrascope.evaluation.blame_report import blame_report
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.calibrate import HeldOut, fit_calibration
from hydrascope.evaluation.detection import (
    detection,
    machine_scores,
    new_operating_points,
    score_table,
)
from hydrascope.evaluation.detection_rows import RowRuns, row_metrics
from hydrascope.evaluation.detectors import detector_scores, other_detectors, scoring_name
from hydrascope.evaluation.fit_fitness import fit_fitness
from hydrascope.evaluation.hourly_alarms import hourly_alarms
from hydrascope.evaluation.localisation import localisation
from hydrascope.evaluation.machine_spread import differing_machines
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.calibration import Temperatures
from hydrascope.models.config import LinearConfig
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.models.kernel.model import KernelDiscriminant
from hydrascope.models.linear import LinearModel
from hydrascope.models.normality.scored_windows import ScoresByLevel
from hydrascope.models.recipe import DiagnoserRecipe, build_model, tensors_of
from hydrascope.schemas.calibration import Calibration
from hydrascope.training.checkpoint import write_fitted
from hydrascope.training.closed_form import fit_closed_form, fitted_rows, with_model
from hydrascope.training.fit_blame import why_no_blame
from hydrascope.training.fit_normality import calibrate
from hydrascope.training.fit_own_sensors import fit_own_sensors

Results = dict[str, dict[str, dict[str, float]]]
"""Model name → head → metric → value."""

QUICK_MODELS: Mapping[str, tuple[type[KernelDiscriminant | LinearModel], Any]] = {
    "discriminant": (KernelDiscriminant, DiscriminantConfig()),
    "linear": (LinearModel, LinearConfig()),
}
"""Our quick models, which are fitted with their defaults as baselines of another model."""


def fit_last(
    recipe: DiagnoserRecipe,
    data: HydraulicDataModule,
    diagnoser: TensorDiagnoser,
    seed: int,
    checkpoint: str,
    console: Console,
    in_turn: ScoresByLevel | None = None,
    prior: Calibration | None = None,
) -> None:
    """Fit what a trained diagnoser still lacks, and store it.

    These are the thresholds of normality, the blame, the weights of single sensors, the
    calibration, and the fitness of the input, as far as the task and the model have them.

    Args:
        recipe: The diagnoser's recipe.
        data: The data that it was trained on.
        diagnoser: The trained diagnoser.
        seed: Seed of a second fit of a closed-form model.
        checkpoint: The checkpoint to update.
        console: Console to print to.
        in_turn: What training windows scored when they were held out in turn.
        prior: The calibration of the weights that the training began with, if any.
    """
    normality = diagnoser.normality
    if (spec := recipe.task.normality) and normality is not None:
        normality.in_turn = in_turn
        with console.status("Setting the thresholds of normality …"):
            calibrate(diagnoser, data, spec)
        if (why := why_no_blame(diagnoser, data)) is not None:
            console.print(f"No component is blamed for an alarm: {why}")
    # What sets thresholds must not have been learned from.
    has_own = fit_own_sensors(diagnoser, data, data.split.train)
    calibration: dict[str, Any] | None = None
    diagnoser.fitness = None  # of a training that was resumed after its end
    if diagnoser.heads:
        with console.status("Calibrating …"):
            judged, held_out = answers_held_out(recipe, data, diagnoser, seed)
            fitted = fit_calibration(diagnoser.heads, held_out, prior=prior)
        for head, reason in fitted.uncalibrated.items():
            console.print(f"{head} is not calibrated: {reason}")
        diagnoser.calibration = Temperatures(diagnoser.heads, fitted)
        calibration = fitted.model_dump(mode="json")
        if normality is None:
            with console.status("Learning which inputs are plausible …"):
                judged.calibration = diagnoser.calibration
                diagnoser.fitness = fit_fitness(judged, data, seed)
    if has_own:
        fit_own_sensors(diagnoser, data, np.union1d(data.split.train, data.split.val))
    write_fitted(checkpoint, tensors_of(diagnoser), calibration, in_turn)


def answers_held_out(
    recipe: DiagnoserRecipe, data: HydraulicDataModule, diagnoser: TensorDiagnoser, seed: int
) -> tuple[TensorDiagnoser, HeldOut]:
    """Return a diagnoser that was not fitted to the validation windows, and its answers on them.

    For a network this is the diagnoser itself. A closed-form model is fitted to them too. So a
    second model, fitted without them, answers instead. A head is not calibrated if the second model
    cannot answer it with the same classes.
    """
    reasons: dict[str, str] = {}
    if isinstance(diagnoser.model, ClosedFormModel):
        answered = set(diagnoser.model.questions)
        second = build_model(recipe)
        assert isinstance(second, ClosedFormModel)
        diagnoser = with_model(diagnoser, second)
        fit_closed_form(diagnoser, data, data.split.train, seed)
        reasons = {
            question.head: "without the validation windows training does not show all its classes"
            for question in answered.difference(second.questions)
        }
    predictions = predict(diagnoser, data.val_dataloader())
    return diagnoser, HeldOut(
        {name: rows for name, rows in predictions.items() if name not in reasons},
        reasons,
        data.units,
        data.unit,
    )


class Tested(NamedTuple):
    """The results on the test windows."""

    results: Results
    located: dict[str, Any] | None
    """The output of `evaluation.localisation.localisation`."""
    detectors: dict[str, dict[str, Any]]
    """Detector name → its `evaluation.detection.detection`; empty without normality."""
    missing: tuple[str, ...] = ()
    """What the chosen baselines lack, in words."""


def test(
    name: str,
    data: HydraulicDataModule,
    diagnoser: TensorDiagnoser,
    seed: int,
    baselines: Baselines,
) -> Tested:
    """Test a diagnoser on the test windows.

    Args:
        name: Name of its model.
        data: The data to test on.
        diagnoser: The trained diagnoser.
        seed: Seed of the baselines.
        baselines: The classical models to fit and test too. Our quick models come with all but
            named ones, detectors with any.
    """
    tested = predict(diagnoser, data.test_dataloader())
    results = {name: head_metrics(diagnoser.heads, tested, diagnoser.thresholds)}
    chosen = [BASELINES[each] for each in chosen_baselines(baselines)] if data.task.heads else []
    if data.task.heads and baselines in (True, "all"):
        results |= _quick_models(name, data, diagnoser, seed)
    for baseline in chosen:
        if not baseline.missing and (found := _of_baseline(baseline, data, diagnoser, seed)):
            results[baseline.name] = found
    bootstrap = Bootstrap.of(data.unit, data.units, data.split.test)
    return Tested(
        results,
        localisation(diagnoser.heads, tested, data, bootstrap, name),
        _test_normality(name, data, diagnoser, seed, baselines=bool(baselines)),
        tuple(each.missing for each in chosen if each.missing),
    )


def _quick_models(
    name: str, data: HydraulicDataModule, diagnoser: TensorDiagnoser, seed: int
) -> Results:
    """Return the metrics of the other quick models on the heads that they answer.

    A discriminant does not answer for several builds.
    """
    heads, results = data.task.heads, {}
    for other_name, (kind, config) in QUICK_MODELS.items():
        suits = kind is LinearModel or len(data.input_spec.builds) == 1
        if other_name != name and suits:
            other = with_model(diagnoser, kind(config, data.input_spec, heads))
            fit_closed_form(other, data, fitted_rows(data), seed)
            if other.heads:
                predictions = predict(other, data.test_dataloader())
                results[other_name] = head_metrics(other.heads, predictions)
    return results


def _of_baseline(
    baseline: Baseline, data: HydraulicDataModule, diagnoser: TensorDiagnoser, seed: int
) -> dict[str, dict[str, float]]:
    """Return a baseline's metrics on the heads that it answers."""
    heads, machines = data.task.heads, data.dataset.machines
    predicted = baseline_predictions(
        baseline, machines, data.split, heads, diagnoser.normalizer, data.units, seed
    )
    return head_metrics([head for head in heads if head.name in predicted], predicted)


def _test_normality(
    name: str, data: HydraulicDataModule, diagnoser: TensorDiagnoser, seed: int, *, baselines: bool
) -> dict[str, dict[str, Any]]:
    """Return how well the model and classical detectors detect faults in the test windows."""
    spec, normality = data.task.normality, diagnoser.normality
    if spec is None or normality is None:
        return {}
    table = score_table(diagnoser, data, spec)
    windows, scores = machine_scores(table)
    name = scoring_name(diagnoser, name)
    found = {name: scores}
    for detector in other_detectors(diagnoser) if baselines else ():
        found[detector] = detector_scores(detector, data, diagnoser, spec, seed)
    held_out = int(normality.held_out)
    reports = {each: detection(data, spec, windows, s, held_out) for each, s in found.items()}
    rows = RowRuns.of(data)
    for each, own in found.items():
        reports[each]["hourly"] = hourly_alarms(data, spec, windows, own, normality)
        reports[each]["rows"] = row_metrics(rows, windows, own)
    reports[name]["new_operating_points"] = new_operating_points(table)
    reports[name]["blame"] = blame_report(table)
    reports[name]["differing_machines"] = differing_machines(diagnoser, data, spec)
    return reports
