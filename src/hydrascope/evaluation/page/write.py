"""report.html: all results of an evaluation, for readers."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from numpy.typing import NDArray

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import FEW_UNITS
from hydrascope.evaluation.cases import Case, answer_in_words, uncertain_cases, worst_cases
from hydrascope.evaluation.detection_text import normality_lines
from hydrascope.evaluation.explain import (
    Explained,
    Explanation,
    Question,
    explain,
    stored_window,
)
from hydrascope.evaluation.nonconformity import nonconformity
from hydrascope.evaluation.page import charts
from hydrascope.evaluation.page.machines import (
    component_health,
    least_healthy_windows,
    machine_chart,
)
from hydrascope.evaluation.page.missing import missing_section
from hydrascope.evaluation.page.numbers import format_metric, format_range
from hydrascope.evaluation.predictions import LocatedPredictions, complete
from hydrascope.evaluation.reliability_report import in_words
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.schemas.time import TimeWindow
from hydrascope.schemas.whole_file import write_whole
from hydrascope.telemetry.time_words import words_of

_TEMPLATES = Path(__file__).parents[2] / "assets" / "report"
_POINTS = 240
"""The most points of a signal's line; more cannot be seen in its width."""
_WIDTH, _HEIGHT = 240, 56


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
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"metric": format_metric, "range": format_range}
    page = environment.get_template("report.html.j2").render(
        version=__version__,
        report=report,
        task=data.task,
        heads=heads,
        windows=len(data.split.test),
        charts=_charts(report, heads, predictions),
        machines=_machines(heads, predictions, data),
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
        few=FEW_UNITS,
        width=_WIDTH,
        height=_HEIGHT,
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


def _machines(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    data: HydraulicDataModule,
) -> list[dict[str, Any]]:
    health = component_health(heads, predictions)
    found = []
    for build, window in least_healthy_windows(health, data).items():
        row = data.table.iloc[window]
        machine = data.machines[row["equipment_id"]]
        svg = machine_chart(machine.topology, health.loc[window].to_dict(), f"machine_{build}")
        about = {
            "name": machine.equipment.name,
            "start": words_of(data.source).instant(row["start"]),
        }
        found.append(about | {"chart": Markup(svg)})
    return found


def _case(
    case: Case, predictions: Mapping[str, LocatedPredictions], data: HydraulicDataModule
) -> dict[str, Any]:
    row = data.table.iloc[case.window]
    machine = data.machines[row["equipment_id"]]
    return {
        "machine": machine.equipment.name,
        "start": words_of(data.source).instant(row["start"]),
        "answer": answer_in_words(case.head, predictions[case.head.name], case.row, data),
        "signals": list(_signals(row["equipment_id"], row["start"].to_pydatetime(), data)),
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
        "signals": [found["signals"][n] | {"shades": list(_shades(explanation, n))} for n in order],
    }


def _shades(explanation: Explanation, sensor: int) -> Iterator[dict[str, Any]]:
    """Yield how strongly each step of a sensor supported or opposed the answer."""
    added = explanation.attribution
    strongest = float(added.abs().max()) or 1.0
    width = _WIDTH / added.shape[1]
    for step, value in enumerate(added[sensor].tolist()):
        yield {
            "x": f"{step * width:.1f}",
            "width": f"{width:.1f}",
            "opacity": f"{0.6 * abs(value) / strongest:.2f}",
            "sort": "for" if value > 0 else "against",
        }


def _signals(equipment_id: str, start: Any, data: HydraulicDataModule) -> Iterator[dict[str, Any]]:
    window = TimeWindow(start=start, end=start + timedelta(seconds=data.window.window_s))
    signals = data.source.read(equipment_id, window)
    for _, sensor in data.machines[equipment_id].topology.sensors:
        signal = signals.get(sensor.id)
        values = np.empty(0) if signal is None else _thinned(signal.values.astype(np.float64))
        known = values[np.isfinite(values)]
        yield {
            "id": sensor.id,
            "unit": sensor.unit,
            "low": f"{known.min():.4g}" if len(known) else None,
            "high": f"{known.max():.4g}" if len(known) else None,
            "lines": list(_lines(values)) if len(known) else [],
            "shades": [],
        }


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average neighbours so that at most `_POINTS` values are left; NaN stays NaN."""
    every = -(-len(values) // _POINTS)
    if every <= 1:
        return values
    whole = values[: len(values) // every * every].reshape(-1, every)
    return np.asarray(whole.mean(axis=1), dtype=np.float64)


def _lines(values: NDArray[np.float64]) -> Iterator[str]:
    """Yield the points of a signal's polylines, one polyline for each stretch without a gap."""
    known = np.isfinite(values)
    low, high = values[known].min(), values[known].max()
    x = np.arange(len(values)) / max(1, len(values) - 1) * _WIDTH
    y = _HEIGHT - 4 - (values - low) / ((high - low) or 1.0) * (_HEIGHT - 8)
    ends = np.flatnonzero(np.diff(known.astype(int))) + 1
    for stretch in np.split(np.arange(len(values)), ends):
        if known[stretch[0]]:
            yield " ".join(f"{x[at]:.1f},{y[at]:.1f}" for at in stretch)
