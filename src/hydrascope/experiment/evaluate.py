"""The evaluation job: all test metrics of a checkpoint, as a page, table, JSON and figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation import reliability_report
from hydrascope.evaluation.blame_report import blame_report
from hydrascope.evaluation.bootstrap import FEW_UNITS, Bootstrap
from hydrascope.evaluation.breakdown import Judged, machine_kinds, of_heads, of_kinds, of_outcomes
from hydrascope.evaluation.calibration import calibration_report, calibration_table
from hydrascope.evaluation.compare import EVALUATION, PREDICTIONS, OtherRun, prediction_table
from hydrascope.evaluation.constant_answers import constant_answers
from hydrascope.evaluation.detection import (
    detection,
    detection_intervals,
    machine_scores,
    new_operating_points,
    score_table,
)
from hydrascope.evaluation.detection_beside import beside
from hydrascope.evaluation.detection_rows import RowRuns, row_intervals, row_metrics
from hydrascope.evaluation.detection_text import detection_table, normality_lines
from hydrascope.evaluation.detectors import scoring_name
from hydrascope.evaluation.figures import confusion_counts, save_confusion_matrix
from hydrascope.evaluation.hourly_alarms import hourly_alarms
from hydrascope.evaluation.localisation import localisation, localisation_lines
from hydrascope.evaluation.machine_spread import differing_machines
from hydrascope.evaluation.missing import judge_missing
from hydrascope.evaluation.missing_report import missing_report
from hydrascope.evaluation.page.missing import in_words
from hydrascope.evaluation.page.write import write_page
from hydrascope.evaluation.predictions import LocatedPredictions, predict
from hydrascope.evaluation.report import comparison, head_metrics, undefined, write_json
from hydrascope.evaluation.severity import error_by_severity
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.job_settings import TRACKED, EvaluateSettings, TrainSettings
from hydrascope.experiment.restore import Restored, restore
from hydrascope.experiment.thresholds import Reset, with_thresholds
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.json_file import load_json
from hydrascope.schemas.task import HeadKind
from hydrascope.schemas.whole_file import whole_file

ALL_WINDOWS = "all windows of data that were not trained on"
"""What stands in a report for the name of a split, with `judge=all`."""
_WITH_CLASSES = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


def run(settings: EvaluateSettings, *, quiet: bool = False) -> None:
    """Evaluate a checkpoint; write the results into `settings.run_dir` and print them.

    The files are evaluation.json, report.html, predictions.parquet and a figure of each confusion
    matrix. A task with normality also gives normality.csv, with every score.
    """
    console = Console(quiet=quiet)
    prepare_hardware(settings.hardware)
    other = OtherRun(settings.compare) if settings.compare else None
    restored, reset = with_thresholds(
        restore(settings.ckpt, settings.data, settings.judge), settings.normality
    )
    trained, diagnoser, data = restored
    split = settings.judge == "test"
    file = None if settings.ckpt.startswith(TRACKED) else Path(settings.ckpt).absolute()
    run_dir = Path(settings.run_dir).absolute()
    run_dir.mkdir(parents=True, exist_ok=True)
    calibration, diagnoser.calibration = diagnoser.calibration, None
    raw = predict(diagnoser, data.test_dataloader()) if calibration else {}
    diagnoser.calibration = calibration
    predictions = predict(diagnoser, data.test_dataloader())
    bootstrap = Bootstrap.of(data.unit, data.units, data.split.test)

    report: dict[str, Any] = {
        "ckpt": settings.ckpt if file is None else str(file),
        "split": trained.data.split.name if split else ALL_WINDOWS,
        "fold": trained.data.fold if split else None,
        "test_windows": trained.data.split.test,
        "resampled": bootstrap.record(),
        "model": trained.model.name,
        "models": _models(trained, file) if file and split else None,
        **_of_heads(diagnoser, data, predictions, bootstrap, run_dir, trained.model.name),
    }
    if calibration is not None:
        report["calibration"] = calibration_report(
            diagnoser.heads, raw, predictions, calibration.spec, bootstrap
        )
    report |= _of_reliability(diagnoser, predictions)
    if other is not None:
        heads, thresholds = diagnoser.heads, diagnoser.thresholds
        found = other.compared(heads, predictions, thresholds, data, bootstrap)
        report["compared"] = {"name": other.name, "heads": found}
    if diagnoser.heads:
        table = prediction_table(diagnoser.heads, predictions, data)
        with whole_file(run_dir / PREDICTIONS) as part:
            table.to_parquet(part, index=False)
        if settings.missing_sensors:
            with console.status("Removing sensors …"):
                missing = judge_missing(diagnoser, data)
            report["missing_sensors"] = missing_report(diagnoser.heads, missing)
    report |= _of_normality(restored, reset, run_dir, file if split else None)
    write_json(run_dir / EVALUATION, report)
    with console.status("Drawing the report …"):
        write_page(run_dir / "report.html", report, diagnoser, predictions, data)
    _print(console, report, restored, _title(trained, report["split"], bootstrap))
    console.print(f"Results: {run_dir}", soft_wrap=True)


def _of_reliability(
    diagnoser: TensorDiagnoser, predictions: Mapping[str, LocatedPredictions]
) -> dict[str, Any]:
    """Return how many answers and windows are reliable; empty if that is not judged."""
    least = diagnoser.least_right
    judged = reliability_report.reliability_report(
        diagnoser.heads, predictions, least, diagnoser.thresholds
    )
    if not judged:
        return {}
    windows = reliability_report.unreliable_windows(predictions, least)
    return {"reliability": judged, "unreliable_windows": windows}


def _of_normality(
    restored: Restored, reset: Reset, run_dir: Path, ckpt: Path | None
) -> dict[str, Any]:
    """Return how well normality scores detect faults, and write every score.

    Classical detectors stand beside it unless the thresholds or the windows differ from those of
    the training; without `ckpt`, the windows do.
    """
    trained, diagnoser, data = restored
    if not (trained.task.normality and diagnoser.normality):
        return {}
    scores = score_table(diagnoser, data, trained.task.normality)
    with whole_file(run_dir / "normality.csv") as part:
        scores.to_csv(part, index=False)
    windows, machines = machine_scores(scores)
    held_out = int(diagnoser.normality.held_out)
    detected = detection(data, trained.task.normality, windows, machines, held_out)
    normal = trained.task.normality, windows, machines, diagnoser.normality
    detected["hourly"] = hourly_alarms(data, *normal)
    detected["new_operating_points"] = new_operating_points(scores)
    detected["blame"] = blame_report(scores)
    rows = RowRuns.of(data)
    bootstrap = Bootstrap.of(data.unit, data.units, rows.window)
    detected["rows"] = row_metrics(rows, windows, machines)
    detected["intervals"] = detection_intervals(data, windows, machines)
    detected["intervals"]["rows"] = row_intervals(rows, windows, machines, bootstrap)
    detected["differing_machines"] = differing_machines(diagnoser, data, trained.task.normality)
    detected["thresholds_reset"] = reset
    own = scoring_name(diagnoser, trained.model.name)
    detectors = _detectors(own, ckpt) if ckpt and not reset else None
    return {"normality": detected, "detectors": detectors}


def _print(console: Console, report: dict[str, Any], restored: Restored, title: str) -> None:
    """Print the results."""
    trained, diagnoser, _ = restored
    if diagnoser.heads:
        units = {head.name: head.unit for head in diagnoser.heads}
        console.print(_table(title, report["test"], report["judged"], units))
        for line in undefined(diagnoser.heads, report["test"]):
            console.print(line, soft_wrap=True)
    if "reliability" in report:
        windows = report["unreliable_windows"]
        console.print(reliability_report.in_words(report["reliability"], windows))
    if "missing_sensors" in report:
        console.print(in_words(report["missing_sensors"]))
    if report["localisation"]:
        console.print("\n".join(localisation_lines(report["localisation"])), soft_wrap=True)
    if "calibration" in report:
        console.print(calibration_table(report["calibration"]))
    if "normality" in report and trained.task.normality and diagnoser.normality:
        detected = {scoring_name(diagnoser, trained.model.name): report["normality"]}
        console.print(detection_table("Normality: AUROC, share detected", detected))
        console.print("\n".join(normality_lines(report["normality"])))


def _of_heads(
    diagnoser: TensorDiagnoser,
    data: HydraulicDataModule,
    predictions: Mapping[str, LocatedPredictions],
    bootstrap: Bootstrap,
    run_dir: Path,
    model: str,
) -> dict[str, Any]:
    """Return the results of the heads, and draw their confusion matrices."""
    heads, thresholds = diagnoser.heads, diagnoser.thresholds
    confusion = {}
    for head in (head for head in heads if head.kind in _WITH_CLASSES):
        rows = predictions[head.name]
        confusion[head.name] = confusion_counts(head, rows).tolist()
        save_confusion_matrix(head, rows, run_dir / f"confusion_{head.name}.png")
    return {
        "test": head_metrics(heads, predictions, thresholds),
        "judged": of_heads(heads, predictions, bootstrap, thresholds),
        "constant": constant_answers(heads, predictions),
        "kinds": of_kinds(heads, predictions, bootstrap, machine_kinds(data), thresholds),
        "outcomes": {
            head.name: of_outcomes(head, predictions[head.name], bootstrap, thresholds)
            for head in heads
            if head.kind is not HeadKind.REGRESSION and len(predictions[head.name].target)
        },
        "severity": {
            head.name: error_by_severity(head, predictions[head.name], data, bootstrap, thresholds)
            for head in heads
        },
        "confusion": confusion,
        "localisation": localisation(heads, predictions, data, bootstrap, model),
        "thresholds": dict(thresholds),
        "test_machines": int(data.table["equipment_id"].iloc[data.split.test].nunique()),
    }


def _models(trained: TrainSettings, ckpt: Path) -> dict[str, Any] | None:
    """Return the training's comparison of all models; None if its results are not there."""
    results = ckpt.parents[1] / "results.json"
    if not trained.task.heads or not results.is_file():
        return None
    models, own = load_json(results).get("test", {}), trained.model.name
    return comparison(trained.task.heads, {own: models.get(own, {})} | models)


def _detectors(own: str, ckpt: Path) -> dict[str, Any] | None:
    """Return the training's comparison of detectors; None if its results are not there."""
    results = ckpt.parents[1] / "results.json"
    reports = load_json(results).get("normality", {}) if results.is_file() else {}
    if own not in reports or len(reports) < 2:
        return None
    return beside({own: reports[own]} | reports)


def _title(trained: TrainSettings, split: str, bootstrap: Bootstrap) -> str:
    count = len(bootstrap.among)
    few = ", few: rough guesses" if count < FEW_UNITS else ""
    judged = split if split == ALL_WINDOWS else "the test set"
    if trained.data.split.test == "last":
        judged = f"the last window of each machine in {judged}"
    name, unit = trained.model.name, bootstrap.unit
    return f"{name} on {judged}; 95 % intervals by resampling {count} {unit}{few}"


def _table(
    title: str,
    metrics: dict[str, dict[str, float]],
    judged: dict[str, Judged],
    units: dict[str, str | None],
) -> Table:
    columns = list(
        dict.fromkeys(name for head in metrics for name in (*judged.get(head, {}), *metrics[head]))
    )
    table = Table(title=title, title_justify="left")
    table.add_column("head")
    for name in columns:
        table.add_column(name, justify="right")
    for head, values in metrics.items():
        cells = []
        for name in columns:
            cell = _cell(name, values.get(name), units[head])
            if interval := judged.get(head, {}).get(name, {}).get("interval"):
                cell += f"\n[dim]{_range(name, *interval)}[/dim]"
            cells.append(cell)
        table.add_row(head, *cells)
    return table


def _cell(name: str, value: float | None, unit: str | None) -> str:
    match name, value:
        case _, None:
            return "–"
        case "rows", _:
            return f"{value:.0f}"
        case "accuracy" | "macro_f1", _:
            return f"{100 * value:.2f} %"
        case "mae" | "rmse" | "pinball" | "interval_score", _:
            return f"{value:.3f} {unit or ''}".strip()
    return f"{value:.3f}"


def _range(name: str, low: float, high: float) -> str:
    if name in ("accuracy", "macro_f1"):
        return f"{100 * low:.1f} – {100 * high:.1f}"
    return f"{low:.3f} – {high:.3f}"
