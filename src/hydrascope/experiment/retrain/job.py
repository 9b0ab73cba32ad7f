"""The job: train a challenger, judge it, and move the alias if it is not worse."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from hydrascope.evaluation.own_metrics import check_own_metrics
from hydrascope.evaluation.report import write_json
from hydrascope.experiment import export, train
from hydrascope.experiment.assemble import build_datamodule
from hydrascope.experiment.job_settings import ExportSettings, TrainSettings
from hydrascope.experiment.restore import restore
from hydrascope.experiment.retrain.champion import Champion, open_champion
from hydrascope.experiment.retrain.judge import judge
from hydrascope.experiment.retrain.report import Report, reason
from hydrascope.experiment.retrain.settings import RetrainSettings, challenger_settings
from hydrascope.experiment.run_folder import claim, new_folder, remove_unused
from hydrascope.packaging.alias import Move, move_alias

REPORT = "retraining.json"
"""The file in the run's folder that says what came of it."""


def run(
    settings: RetrainSettings,
    overrides: Sequence[str],
    own: Path | None = None,
    *,
    quiet: bool = False,
) -> Report:
    """Retrain a registered model; write everything into the run's folder.

    Args:
        settings: Of the retraining.
        overrides: Of the training, as `train` takes them.
        own: Folder of configuration files of the user's own.
        quiet: Whether the training prints nothing.

    Raises:
        SpecError: What is wrong with the settings, the champion or the data; or the alias has moved
            meanwhile.
    """
    champion = open_champion(settings.model, settings.uri)
    try:
        wanted = f"outputs/retrain/{datetime.now():%Y-%m-%d/%H-%M-%S}"
        run_dir = settings.run_dir or new_folder(wanted)
        trained = challenger_settings(champion.settings, overrides, own, run_dir)
        if not overrides and _fingerprint(trained) == champion.data_fingerprint:
            return Report(settings.model, champion, settings.margin, None, None)
        claim(run_dir, None)
        train.run(trained, quiet=quiet)
    finally:
        remove_unused()
    ckpt = str(Path(run_dir) / "checkpoints" / "best.ckpt")
    judged = judge(champion, restore(ckpt), settings.margin)
    report = Report(settings.model, champion, settings.margin, judged, None)
    if judged.not_worse:
        version = _register(settings, champion, ckpt, Path(run_dir))
        report = report._replace(version=version)
        move_alias(settings.model, settings.uri, Move(champion.version, version), reason(report))
    write_json(Path(run_dir) / REPORT, report.record())
    return report


def _fingerprint(settings: TrainSettings) -> str:
    """Return the fingerprint of the data that would be trained on."""
    check_own_metrics(settings.task.heads)
    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    return data.source.fingerprint


def _register(settings: RetrainSettings, champion: Champion, ckpt: str, run_dir: Path) -> int:
    """Export the challenger and register it, without an alias; return its version."""
    version = export.run(
        ExportSettings(
            ckpt=ckpt,
            output=str(run_dir / "bundle"),
            gate=None,
            any_build=False,
            onnx=False,
            sign_key=settings.sign_key,
            registry="mlflow",
            uri=settings.uri,
            name=champion.name,
            alias=None,
            artifacts=settings.artifacts,
        )
    )
    assert version is not None
    return version
