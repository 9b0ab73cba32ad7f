"""The evaluation job: every test metric of a checkpoint, as a table, JSON and pictures."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hydrascope.evaluation.bootstrap import FEW_UNITS, Bootstrap
from hydrascope.evaluation.breakdown import Judged, machine_kinds, of_heads, of_kinds, of_labels
from hydrascope.evaluation.calibration import calibration_report, calibration_table
from hydrascope.evaluation.figures import confusion_counts, save_confusion_matrix
from hydrascope.evaluation.normality import (
    detection,
    detection_intervals,
    detection_table,
    machine_scores,
    promise,
    score_table,
)
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics, write_json
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.restore import restore
from hydrascope.experiment.settings import EvaluateSettings
from hydrascope.schemas.task import HeadKind

_WITH_CLASSES = (HeadKind.BINARY, HeadKind.MULTI_CLASS, HeadKind.ORDINAL)


def run(settings: EvaluateSettings) -> None:
    """Judge a checkpoint; results are written into `settings.run_dir`.

    Those of normality are also a table of every score: normality.csv.
    """
    console = Console()
    prepare_hardware(settings.hardware)
    trained, diagnoser, data = restore(settings.ckpt)
    calibration, diagnoser.calibration = diagnoser.calibration, None
    raw = predict(diagnoser, data.test_dataloader()) if calibration else {}
    diagnoser.calibration = calibration
    predictions = predict(diagnoser, data.test_dataloader())
    thresholds = diagnoser.thresholds
    metrics = head_metrics(diagnoser.heads, predictions, thresholds)

    bootstrap = Bootstrap.of(data.split_spec.unit, data.units, data.split.test)
    judged = of_heads(diagnoser.heads, predictions, bootstrap, thresholds)

    run_dir = Path(settings.run_dir).absolute()
    run_dir.mkdir(parents=True, exist_ok=True)
    confusion = {}
    for head in diagnoser.heads:
        if head.kind in _WITH_CLASSES:
            rows = predictions[head.name]
            confusion[head.name] = confusion_counts(head, rows).tolist()
            save_confusion_matrix(head, rows, run_dir / f"confusion_{head.name}.png")
    report: dict[str, Any] = {
        "ckpt": str(Path(settings.ckpt).absolute()),
        "split": trained.data.split.name,
        "fold": trained.data.fold,
        "test": metrics,
        "resampled": bootstrap.record(),
        "intervals": {
            head: {name: each["interval"] for name, each in of_head.items()}
            for head, of_head in judged.items()
        },
        "kinds": of_kinds(diagnoser.heads, predictions, bootstrap, machine_kinds(data), thresholds),
        "labels": {
            head.name: of_labels(head, predictions[head.name], bootstrap, thresholds)
            for head in diagnoser.heads
            if head.kind is HeadKind.MULTI_LABEL
        },
        "confusion": confusion,
    }
    if calibration is not None:
        report["calibration"] = calibration_report(
            diagnoser.heads, raw, predictions, calibration.spec, bootstrap
        )
    if diagnoser.heads:
        units = {head.name: head.unit for head in diagnoser.heads}
        console.print(_table(_title(bootstrap), metrics, judged, units))
    if "calibration" in report:
        console.print(calibration_table(report["calibration"]))
    if (spec := trained.task.normality) and diagnoser.normality:
        scores = score_table(diagnoser, data, spec)
        scores.to_csv(run_dir / "normality.csv", index=False)
        held_out = int(diagnoser.normality.held_out)
        windows, of_machine = machine_scores(scores)
        found = detection(data, spec, windows, of_machine, held_out)
        intervals = detection_intervals(data, windows, of_machine)
        report["normality"] = found | {"intervals": intervals}
        console.print(detection_table("Normality: AUROC, share detected", {"network": found}))
        console.print(promise(held_out, data.split_spec.unit, spec))
    write_json(run_dir / "evaluation.json", report)
    console.print(f"Results: {run_dir}")


def _title(bootstrap: Bootstrap) -> str:
    count = len(bootstrap.among)
    few = ", few: rough guesses" if count < FEW_UNITS else ""
    return f"Test set; 95 % intervals by resampling {count} {bootstrap.unit}{few}"


def _table(
    title: str,
    metrics: dict[str, dict[str, float]],
    judged: dict[str, Judged],
    units: dict[str, str | None],
) -> Table:
    columns = list(dict.fromkeys(name for values in metrics.values() for name in values))
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
        case "mae", _:
            return f"{value:.3f} {unit or ''}".strip()
    return f"{value:.3f}"


def _range(name: str, low: float, high: float) -> str:
    if name in ("accuracy", "macro_f1"):
        return f"{100 * low:.1f} – {100 * high:.1f}"
    return f"{low:.3f} – {high:.3f}"
