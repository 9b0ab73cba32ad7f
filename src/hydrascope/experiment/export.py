"""The export job: write a checkpoint as a bundle, and check that both answer alike."""

from collections.abc import Set
from pathlib import Path

from rich.console import Console

from hydrascope.evaluation.detection import ANY, detection, machine_scores, score_table
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.experiment.as_bundle import contents_of
from hydrascope.experiment.job_settings import ExportSettings
from hydrascope.experiment.restore import Restored, checkpoint_file, restore
from hydrascope.packaging.manifest import MetricsManifest
from hydrascope.packaging.write import WriteOptions, write_bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.metric_paths import metric_name

LOWER_IS_BETTER = (
    "mae",
    "rmse",
    "pinball",
    "interval_score",
    "false_alarm_rate",
    "missed_alarm_rate",
)
NORMALITY = "normality"
"""The name of normality among the heads' metrics; no head may have it."""


def run(settings: ExportSettings) -> int | None:
    """Write the bundle of `settings.ckpt` to `settings.output`; register it if requested.

    Returns:
        The version in the registry, or None.
    """
    console = Console()
    restored = restore(settings.ckpt, settings.data)
    path = Path(settings.output).absolute()
    with console.status("Testing, exporting …"):
        metrics = _metrics(restored)
        own = {metric_name(path) for head in restored.diagnoser.heads for path in head.metrics}
        _check_gate(settings.gate or {}, metrics.heads, own.union(LOWER_IS_BETTER))
        contents = contents_of(restored, metrics)
        manifest = write_bundle(
            path,
            contents.for_any_build() if settings.any_build else contents,
            WriteOptions(
                onnx=settings.onnx,
                sign_key=Path(settings.sign_key) if settings.sign_key else None,
            ),
        )
    console.print(f"Largest difference to the checkpoint's answers: {manifest.parity:.1e}")
    console.print(f"Bundle: {path}", soft_wrap=True)
    if settings.registry is None:
        return None
    from hydrascope.packaging.registry import register

    name = settings.name or manifest.task.name
    with checkpoint_file(settings.ckpt) as checkpoint:
        number = register(
            path,
            manifest,
            checkpoint,
            settings.uri,
            name,
            settings.alias,
            Path(settings.artifacts),
        )
    alias = f"@{settings.alias}" if settings.alias else f"/{number}"
    console.print(f"Registered: models:/{name}{alias} (version {number}) in {settings.uri}")
    return number


def _metrics(restored: Restored) -> MetricsManifest:
    trained, diagnoser, data = restored
    predictions = predict(diagnoser, data.test_dataloader())
    measured = head_metrics(diagnoser.heads, predictions, diagnoser.thresholds)
    if (spec := trained.task.normality) and diagnoser.normality:
        windows, scores = machine_scores(score_table(diagnoser, data, spec))
        found = detection(data, spec, windows, scores, int(diagnoser.normality.held_out))
        values = {**found["faults"].get(ANY, {}), **found["overall"]}
        measured[NORMALITY] = {name: each for name, each in values.items() if each is not None}
    return MetricsManifest(
        split=trained.data.split.name,
        fold=trained.data.fold,
        windows=len(data.split.test),
        heads=measured,
    )


def _check_gate(
    gate: dict[str, dict[str, float]], measured: dict[str, dict[str, float]], lower: Set[str]
) -> None:
    """Check that a model meets the bounds of the gate; `lower` are metrics that should be low.

    Raises:
        SpecError: Names every metric that misses its bound or does not exist.
    """
    faults = []
    for head, bounds in gate.items():
        for metric, bound in bounds.items():
            value = measured.get(head, {}).get(metric)
            if value is None:
                known = ", ".join(f"{h}.{m}" for h, each in measured.items() for m in each)
                faults.append(f"gate.{head}.{metric}: there is no such metric; accepted: {known}")
            elif metric in lower and value > bound:
                faults.append(f"gate.{head}.{metric}: {value:.4g} measured; at most {bound:g}")
            elif metric not in lower and value < bound:
                faults.append(f"gate.{head}.{metric}: {value:.4g} measured; at least {bound:g}")
    if faults:
        raise SpecError(*faults, source="export")
