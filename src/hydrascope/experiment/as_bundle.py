"""The contents of a checkpoint's bundle, except its tensors."""

import hashlib
import platform
from importlib.metadata import version

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import trained_recipe
from hydrascope.experiment.data_settings import DataSettings
from hydrascope.experiment.restore import Restored, restore
from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.recipe import tensors_of
from hydrascope.packaging.bundle import Bundle
from hydrascope.packaging.manifest import Manifest, MetricsManifest, WindowManifest
from hydrascope.packaging.parity import golden_answers
from hydrascope.packaging.write import Contents
from hydrascope.schemas.calibration import flag_names, flag_thresholds
from hydrascope.schemas.normality import MACHINE
from hydrascope.schemas.task import HeadLevel
from hydrascope.telemetry.folder.settings import RecordedSettings
from hydrascope.tracking.provenance import commit

GOLDEN_BATCHES = (16, 1, 2, 64)
"""The number of windows in each batch on which bundle and checkpoint are compared."""


def checkpoint_as_bundle(ckpt: str) -> Bundle:
    """Return the bundle that an export of a checkpoint would write, without test metrics.

    Raises:
        SpecError: As in `restore`.
    """
    restored = restore(ckpt)
    split = restored.settings.data.split.name
    unmeasured = MetricsManifest(split=split, fold=restored.settings.data.fold, windows=0, heads={})
    contents = contents_of(restored, unmeasured)
    golden = contents.golden[0]
    return Bundle(
        contents.manifest,
        _version(contents.manifest, restored.diagnoser),
        restored.diagnoser,
        contents.references,
        golden,
        golden_answers(restored.diagnoser, golden),
    )


def contents_of(restored: Restored, metrics: MetricsManifest) -> Contents:
    """Return what the bundle of a checkpoint consists of, with these test metrics."""
    trained, diagnoser, data = restored
    return Contents(
        diagnoser,
        trained_recipe(trained, data.input_spec, diagnoser),
        _manifest(restored, metrics),
        _golden(restored),
        _references(data),
    )


def _version(manifest: Manifest, diagnoser: TensorDiagnoser) -> str:
    """Return 12 hex digits of a hash of what answers: description, calibration, tensors."""
    content = hashlib.sha256(manifest.model_dump_json().encode())
    if diagnoser.calibration is not None:
        content.update(diagnoser.calibration.spec.model_dump_json().encode())
    for name, tensor in sorted(tensors_of(diagnoser).items()):
        content.update(name.encode())
        content.update(tensor.detach().cpu().numpy().tobytes())
    return content.hexdigest()[:12]


def _manifest(restored: Restored, metrics: MetricsManifest) -> Manifest:
    trained, diagnoser, data = restored
    calibration = diagnoser.calibration
    # The bundle holds only the heads that are answered.
    names = {head.name for head in diagnoser.heads}
    heads = tuple(
        # A closed-form model may answer a machine's head but not its components' head.
        head if head.evidence in names else head.model_copy(update={"evidence": None})
        for head in diagnoser.heads
    )
    task = trained.task.model_copy(update={"heads": heads})
    answered = tuple(head.name for head in task.heads if head.level is HeadLevel.COMPONENT)
    normality = diagnoser.normality
    alarm_test = None if normality is None else normality.alarm_test(MACHINE)
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
        least_right={name: value for name, value in diagnoser.least_right.items() if name in names},
        conformal=None if calibration is None else calibration.spec.conformal,
        alarm_width=None if alarm_test is None else alarm_test.width,
        window=_windows(trained.data),
        features=trained.features,
        input_spec=data.input_spec.model_copy(update={"component_heads": answered}),
        machines=tuple(data.machines.values()),
        data_fingerprint=data.source.fingerprint,
        metrics=metrics,
        parity=float("nan"),
        files={},
    )


def _windows(data: DataSettings) -> WindowManifest:
    """Return how windows were laid; of a source without gaps, with the usual longest gap."""
    usual = RecordedSettings.model_fields["max_gap_s"].default
    max_gap_s = (data.source.model_extra or {}).get("max_gap_s", usual)
    return WindowManifest(**data.window.model_dump(exclude={"stride_s"}), max_gap_s=max_gap_s)


def _golden(restored: Restored) -> list[GraphInputs]:
    """Return batches of test windows as the service would form them."""
    _, diagnoser, data = restored
    answered = {head.name for head in diagnoser.heads}
    kept = [
        number for number, name in enumerate(data.input_spec.component_heads) if name in answered
    ]
    test = data.split.test.tolist()
    batches = [data.dataset.gather(test[:size]).inputs for size in GOLDEN_BATCHES]
    return [each._replace(component_heads=each.component_heads[:, kept]) for each in batches]


def _references(data: HydraulicDataModule) -> dict[str, SensorReference]:
    """Return the references of the training's machines, by equipment id."""
    machines = data.dataset.machines
    return {each.equipment_id: each.reference for each in machines if each.reference is not None}
