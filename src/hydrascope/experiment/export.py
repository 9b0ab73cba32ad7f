"""The export job: a checkpoint becomes a bundle whose answers are proven equal."""

import platform
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.normality import ANY, detection, machine_scores, score_table
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.experiment.assemble import trained_recipe
from hydrascope.experiment.restore import Restored, checkpoint_file, restore
from hydrascope.experiment.settings import ExportSettings
from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.packaging.manifest import (
    Manifest,
    MetricsManifest,
    WindowManifest,
)
from hydrascope.packaging.write import WriteOptions, write_bundle
from hydrascope.schemas.calibration import flag_names, flag_thresholds
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadLevel
from hydrascope.tracking.provenance import commit

GOLDEN_BATCHES = (16, 1, 2, 64)
"""Windows in each batch that the answers of bundle and checkpoint are compared on."""
LOWER_IS_BETTER = ("mae", "false_alarm_rate")
NORMALITY = "normality"
"""Stands for a head among the metrics; no head may be called so."""


def run(settings: ExportSettings) -> None:
    """Write the bundle of `settings.ckpt` to `settings.output`, and register it where asked to."""
    console = Console()
    restored = restore(settings.ckpt, settings.data)
    path = Path(settings.output).absolute()
    with console.status("Testing, exporting …"):
        metrics = _metrics(restored)
        _check_gate(settings.gate or {}, metrics.heads)
        manifest = write_bundle(
            path,
            restored.diagnoser,
            trained_recipe(restored.settings, restored.data.input_spec, restored.diagnoser),
            _manifest(restored, metrics),
            _golden(restored),
            _references(restored.data),
            WriteOptions(
                onnx=settings.onnx,
                sign_key=Path(settings.sign_key) if settings.sign_key else None,
            ),
        )
    console.print(f"Largest difference to the checkpoint's answers: {manifest.parity:.1e}")
    console.print(f"Bundle: {path}", soft_wrap=True)
    if settings.registry is not None:
        from hydrascope.packaging.registry import register

        name = settings.name or manifest.task.name
        artifacts = Path(settings.artifacts)
        with checkpoint_file(settings.ckpt) as checkpoint:
            number = register(
                path, manifest, checkpoint, settings.uri, name, settings.alias, artifacts
            )
        alias = f"@{settings.alias}" if settings.alias else f"/{number}"
        console.print(f"Registered: models:/{name}{alias} (version {number}) in {settings.uri}")


def _manifest(restored: Restored, metrics: MetricsManifest) -> Manifest:
    trained, diagnoser, data = restored
    calibration = diagnoser.calibration
    # Heads that are not answered are no part of the bundle.
    names = {head.name for head in diagnoser.heads}
    heads = tuple(
        # A model of closed form may answer a machine's head and not its components'.
        head if head.evidence in names else head.model_copy(update={"evidence": None})
        for head in diagnoser.heads
    )
    task = trained.task.model_copy(update={"heads": heads})
    answered = tuple(head.name for head in task.heads if head.level is HeadLevel.COMPONENT)
    libraries = {name: version(name) for name in ("torch", "numpy")}
    return Manifest(
        hydrascope=__version__,
        git_commit=commit(),
        libraries=libraries | {"python": platform.python_version()},
        model=trained.model.name,
        task=task,
        thresholds={
            name: value
            for head in task.heads
            for name, value in zip(
                flag_names(head), flag_thresholds(head, diagnoser.thresholds), strict=True
            )
        },
        conformal=None if calibration is None else calibration.spec.conformal,
        window=WindowManifest(
            window_s=trained.data.window.window_s, steps=trained.data.window.steps
        ),
        features=trained.features,
        input_spec=data.input_spec.model_copy(update={"component_heads": answered}),
        machines=tuple(data.machines.values()),
        data_fingerprint=data.source.fingerprint,
        metrics=metrics,
        parity=float("nan"),
        files={},
    )


def _metrics(restored: Restored) -> MetricsManifest:
    trained, diagnoser, data = restored
    predictions = predict(diagnoser, data.test_dataloader())
    measured = head_metrics(diagnoser.heads, predictions, diagnoser.thresholds)
    if (spec := trained.task.normality) and diagnoser.normality:
        windows, scores = machine_scores(score_table(diagnoser, data, spec))
        found = detection(data, spec, windows, scores, int(diagnoser.normality.held_out))
        alarms, faults = found["false_alarms"], found["faults"].get(ANY, {})
        values = {"false_alarm_rate": alarms["rate"], **faults}
        measured[NORMALITY] = {name: each for name, each in values.items() if each is not None}
    return MetricsManifest(
        split=trained.data.split.name,
        fold=trained.data.fold,
        windows=len(data.split.test),
        heads=measured,
    )


def _golden(restored: Restored) -> list[GraphInputs]:
    """Return batches of test windows as a service would make them."""
    _, diagnoser, data = restored
    answered = {head.name for head in diagnoser.heads}
    kept = [
        number for number, name in enumerate(data.input_spec.component_heads) if name in answered
    ]
    test = data.split.test.tolist()
    batches = [data.dataset.gather(test[:size]).inputs for size in GOLDEN_BATCHES]
    return [each._replace(component_heads=each.component_heads[:, kept]) for each in batches]


def _references(data: HydraulicDataModule) -> dict[str, SensorReference]:
    machines = data.dataset.machines
    return {each.equipment_id: each.reference for each in machines if each.reference is not None}


def _check_gate(gate: dict[str, dict[str, float]], measured: dict[str, dict[str, float]]) -> None:
    """Refuse a model that is worse than the gate asks for.

    Raises:
        SpecError: Naming every head and metric that falls short, or that there is none of.
    """
    faults = []
    for head, bounds in gate.items():
        for metric, bound in bounds.items():
            value = measured.get(head, {}).get(metric)
            if value is None:
                known = ", ".join(f"{h}.{m}" for h, each in measured.items() for m in each)
                faults.append(f"gate.{head}.{metric}: there is no such metric; accepted: {known}")
            elif metric in LOWER_IS_BETTER and value > bound:
                faults.append(f"gate.{head}.{metric}: {value:.4g} measured; at most {bound:g}")
            elif metric not in LOWER_IS_BETTER and value < bound:
                faults.append(f"gate.{head}.{metric}: {value:.4g} measured; at least {bound:g}")
    if faults:
        raise SpecError.of("export", faults)
