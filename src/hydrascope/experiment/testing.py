"""After the training: what is fitted last, then the test beside classical models."""

from typing import Any

from rich.console import Console

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baselines import BASELINES, baseline_predictions
from hydrascope.evaluation.calibrate import HeldOut, fit_calibration
from hydrascope.evaluation.detectors import DETECTORS, detector_scores
from hydrascope.evaluation.normality import detection, machine_scores, score_table
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.experiment.settings import TrainSettings
from hydrascope.models.calibration import Temperatures
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.kernel.readout import DiscriminantReadout
from hydrascope.models.linear import LinearReadout
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
    """Fit normality's thresholds, the readout and the calibration, as far as asked for; store them.

    Return the test metrics of the network's own heads, where the readout takes some over.
    """
    if settings.task.normality:
        with console.status("Setting the thresholds of normality …"):
            calibrate(diagnoser, data, settings.task.normality)
    weights = diagnoser.state_dict()
    readout, alone = _readout(settings, data, diagnoser, console)
    calibration: dict[str, Any] | None = None
    if settings.task.heads:
        with console.status("Calibrating …"):
            held_out = _held_out(settings, data, diagnoser, readout)
            spec = fit_calibration(settings.task.heads, held_out)
        for head, reason in spec.uncalibrated.items():
            console.print(f"{head} is not calibrated: {reason}")
        diagnoser.calibration = Temperatures(settings.task.heads, spec)
        calibration = spec.model_dump(mode="json")
    diagnoser.readout = readout
    write_fitted(checkpoint, weights, readout.record() if readout else {}, calibration)
    return alone


def _readout(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser, console: Console
) -> tuple[DiscriminantReadout | LinearReadout | None, Results]:
    """Return the readout, where there is one, and what the network's own heads are worth alone."""
    if settings.readout.kind == "heads":
        return None, {}
    with console.status("Fitting the readout …"):
        fitted = fit_readout(diagnoser, data, settings.readout, settings.seed)
    for head, reason in fitted.unanswered.items():
        console.print(f"The network's own head answers {head}: {reason}")
    if fitted.readout is None:
        return None, {}
    answered = ", ".join(question.head for question in fitted.readout.questions)
    console.print(f"The {settings.readout.kind} readout answers {answered}")
    alone = head_metrics(settings.task.heads, predict(diagnoser, data.test_dataloader()))
    return fitted.readout, {HEADS_ALONE: alone}


def _held_out(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    readout: DiscriminantReadout | LinearReadout | None,
) -> HeldOut:
    """Return answers on the validation windows by what was not fitted to them.

    A readout is fitted to them too. So a second one, which is not, answers in its place; a head
    that the second one cannot answer in the same words is not calibrated.
    """
    reasons = {}
    if readout is not None and settings.readout.kind != "heads":
        apart = fit_readout(diagnoser, data, settings.readout, settings.seed, data.split.train)
        diagnoser.readout = apart.readout
        known = apart.readout.questions if apart.readout else ()
        reasons = {
            question.head: "without the validation windows the readout has not seen all its classes"
            for question in set(readout.questions).symmetric_difference(known)
        }
    predictions = predict(diagnoser, data.val_dataloader())
    return HeldOut(
        {name: rows for name, rows in predictions.items() if name not in reasons},
        reasons,
        data.units,
        data.split_spec.unit,
    )


def test(settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser) -> Results:
    """Return each model's metrics of each head on the test windows."""
    heads = settings.task.heads
    tested = predict(diagnoser, data.test_dataloader())
    results = {NETWORK: head_metrics(heads, tested, diagnoser.thresholds)}
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
