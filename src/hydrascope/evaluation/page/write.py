"""report.html: all results of an evaluation, for readers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.cases import Case, answer_in_words, uncertain_cases, worst_cases
from hydrascope.evaluation.detection_text import normality_lines
from hydrascope.evaluation.explain import (
    Explained,
    Question,
    explain,
    stored_window,
)
from hydrascope.evaluation.nonconformity import nonconformity
from hydrascope.evaluation.page import charts
from hydrascope.evaluation.page.machines import (
    component_health,
    drawn_machine,
    least_healthy_windows,
)
from hydrascope.evaluation.page.missing import missing_section
from hydrascope.evaluation.page.signals import HEIGHT, WIDTH, shades, signals
from hydrascope.evaluation.page.template import built, rendered
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.reliability_report import in_words
from hydrascope.evaluation.verdict.verdict import headline, verdict
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.schemas.whole_file import write_whole
from hydrascope.telemetry.time_words import words_of


def write_page(
    path: Path,
    report: Mapping[str, Any],
    diagnoser: TensorDiagnoser,
    predictions: Mapping[str, LocatedPredictions],
    data: HydraulicDataModule,
) -> None:
    """Write the page, replacing the file atomically.

    Args:
        path: The file to write.
        report: The content of evaluation.json.
        diagnoser: The diagnoser that answered, in evaluation mode.
        predictions: Its answers on the test windows.
        data: The data that hold the windows.
    """
    heads = diagnoser.heads
    health = component_health(heads, predictions, diagnoser.least_right)
    page = rendered(
        "report.html.j2",
        report=report,
        task=data.task,
        heads=heads,
        windows=len(data.split.test),
        charts=_charts(report, heads, predictions),
        headline=headline(report, heads),
        verdict=verdict(report, heads),
        contents=[],
        script=built("report.js"),
        machines=[
            drawn_machine(window, health, data)
            for window in least_healthy_windows(health, data).values()
        ],
        worst=[
            _explained(case, diagnoser, predictions, data)
            for case in worst_cases(heads, predictions, diagnoser.thresholds)
        ],
        uncertain=[_case(case, predictions, data) for case in uncertain_cases(heads, predictions)],
        reliability=(
            in_words(report["reliability"], report["unreliable_windows"])
            if "reliability" in report
            else ""
        ),
        normality_lines=normality_lines(report["normality"]) if "normality" in report else [],
        missing=missing_section(report["missing_sensors"]) if "missing_sensors" in report else None,
        width=WIDTH,
        height=HEIGHT,
    )
    write_whole(path, page)


def _charts(
    report: Mapping[str, Any],
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
) -> dict[str, list[Markup]]:
    found: dict[str, list[str | None]] = {
        "confusion": [
            charts.confusion_chart(head, report["confusion"][head.name])
            for head in heads
            if head.name in report["confusion"]
        ],
        "precision": [
            charts.precision_recall_chart(head, predictions[head.name])
            for head in heads
            if head.kind is not HeadKind.REGRESSION
        ],
        "calibration": [
            charts.calibration_chart(name, question)
            for name, question in report.get("calibration", {}).get("questions", {}).items()
        ],
        "severity": [
            charts.severity_chart(head, report["severity"][head.name])
            for head in heads
            if report["severity"].get(head.name)
        ],
    }
    # Safe: we drew it, and matplotlib escapes its text.
    return {kind: [Markup(svg) for svg in drawn if svg] for kind, drawn in found.items()}


def _case(
    case: Case, predictions: Mapping[str, LocatedPredictions], data: HydraulicDataModule
) -> dict[str, Any]:
    row = data.table.iloc[case.window]
    machine = data.machines[row["equipment_id"]]
    return {
        "machine": machine.equipment.name,
        "start": words_of(data.source).instant(row["start"]),
        "answer": answer_in_words(case.head, predictions[case.head.name], case.row, data),
        "signals": list(signals(row["equipment_id"], row["start"].to_pydatetime(), data)),
    }


def _explained(
    case: Case,
    diagnoser: TensorDiagnoser,
    predictions: Mapping[str, LocatedPredictions],
    data: HydraulicDataModule,
) -> dict[str, Any]:
    """Return a case with the attribution of its answer; sensors with the largest come first."""
    rows = complete(predictions[case.head.name])
    label = 0
    if case.head.labels:
        answer, target = rows.prediction[[case.row]], rows.target[[case.row]]
        label = int(nonconformity(case.head, answer, target).argmax())
    component = int(rows.component[case.row])
    window = stored_window(data.dataset, case.window)
    explanation = explain(Explained(diagnoser, window, Question(case.head, component, label)))
    found = _case(case, predictions, data)
    topology = data.machines[data.table["equipment_id"].iloc[case.window]].topology
    of_components = explanation.of_components(topology)
    driver = max(of_components, key=lambda name: abs(of_components[name]))
    of_sensors = explanation.of_sensors().abs()
    order = of_sensors.argsort(descending=True, stable=True).tolist()
    total = float(of_sensors.sum()) or 1.0
    moment = int(explanation.attribution.abs().sum(0).argmax())
    step_s = data.window.window_s / explanation.attribution.shape[1]
    second = words_of(data.source).second
    return found | {
        "driver": {
            "component": driver,
            "label": case.head.labels[label] if case.head.labels else None,
            "sensors": ", ".join(
                f"{topology.sensors[n][1].id} ({100 * float(of_sensors[n]) / total:.0f} %)"
                for n in order[:3]
            ),
            "moment": f"{moment * step_s:g} to {(moment + 1) * step_s:g} {second}",
        },
        "signals": [found["signals"][n] | {"shades": list(shades(explanation, n))} for n in order],
    }
