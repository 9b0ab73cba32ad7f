"""After the training: what is fitted last, then the test beside classical models."""

from typing import Any

from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baselines import BASELINES, baseline_predictions
from hydrascope.evaluation.detectors import DETECTORS, detector_scores
from hydrascope.evaluation.normality import detection, machine_scores, score_table
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.experiment.settings import TrainSettings
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.training.checkpoint import write_fitted
from hydrascope.training.normality import calibrate
from hydrascope.training.readout import fit_readout

NETWORK = "network"
"""Column of the network in the closing table."""
HEADS_ALONE = "its own heads"
"""Column of the network without the readout."""

Results = dict[str, dict[str, dict[str, float]]]


def complete(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    checkpoint: str,
    console: Console,
) -> Results:
    """Fit normality's thresholds and the readout, as far as asked for, and store them.

    Return the test metrics of the network's own heads, where the readout takes some over.
    """
    if settings.task.normality:
        with console.status("Setting the thresholds of normality …"):
            calibrate(diagnoser, data, settings.task.normality)
    weights = diagnoser.state_dict()
    if settings.readout.kind == "heads":
        write_fitted(checkpoint, weights, {})
        return {}
    with console.status("Fitting the readout …"):
        fitted = fit_readout(diagnoser, data, settings.readout, settings.seed)
    for head, reason in fitted.unanswered.items():
        console.print(f"The network's own head answers {head}: {reason}")
    if fitted.readout is None:
        write_fitted(checkpoint, weights, {})
        return {}
    answered = ", ".join(question.head for question in fitted.readout.questions)
    console.print(f"The kernel discriminant answers {answered}")
    write_fitted(checkpoint, weights, fitted.readout.record())
    alone = head_metrics(settings.task.heads, predict(diagnoser, data.test_dataloader()))
    diagnoser.readout = fitted.readout
    return {HEADS_ALONE: alone}


def test(settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser) -> Results:
    """Return each model's metrics of each head on the test windows."""
    heads = settings.task.heads
    results = {NETWORK: head_metrics(heads, predict(diagnoser, data.test_dataloader()))}
    for name in BASELINES if settings.baselines else ():
        predictions = baseline_predictions(
            name, data.dataset.machines, data.split, heads, diagnoser.normalizer, settings.seed
        )
        known = [head for head in heads if head.name in predictions]
        results[name] = head_metrics(known, predictions)
    return results


def test_normality(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser
) -> dict[str, dict[str, Any]]:
    """Return how well the network, and classical detectors, tell healthy test windows apart."""
    spec, normality = settings.task.normality, diagnoser.normality
    if spec is None or normality is None:
        return {}
    windows, scores = machine_scores(score_table(diagnoser, data, spec))
    found = {NETWORK: scores}
    for name in DETECTORS if settings.baselines else ():
        found[name] = detector_scores(
            name, data, diagnoser.normalizer, spec, windows, settings.seed
        )
    held_out = int(normality.held_out)
    return {name: detection(data, spec, windows, each, held_out) for name, each in found.items()}
