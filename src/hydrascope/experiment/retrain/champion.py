"""The champion: the registered model that answers until a challenger takes its place."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.unseen import Times
from hydrascope.experiment.assemble import SOME_LABELS, build_datamodule, load_checkpoint, recipe_of
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.graphs.input_spec import InputSpec, KnownBuilds
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.packaging.alias import read_alias
from hydrascope.packaging.registry import fetch_checkpoint, version_of
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadSpec
from hydrascope.training.checkpoint import read_checkpoint


class Champion(NamedTuple):
    """A registered model and what is known of its training."""

    name: str
    """The name of the registered model."""
    version: int
    settings: TrainSettings
    diagnoser: TensorDiagnoser
    input_spec: InputSpec
    learned: Times
    """The times that it has learned from."""
    data_fingerprint: str
    """The fingerprint of the data that it was trained on."""
    some_labels: bool
    """Whether heads of its training may have lacked labels."""

    def data(self, newer: TrainSettings) -> HydraulicDataModule:
        """Return the windows of grown data as this model reads them, set up.

        Raises:
            SpecError: It does not know the build of a machine.
        """
        grown = {"source": newer.data.source, "store": newer.data.store}
        settings = self.settings.data.model_copy(update=grown)
        own = self.settings
        data = build_datamodule(settings, own.features, own.task, own.seed)
        builds: KnownBuilds = "any" if self.diagnoser.of_any_build else "known"
        data.read_as(self.input_spec, builds, some=self.some_labels)
        data.judge_all()
        data.setup()
        return data


def open_champion(model: str, uri: str) -> Champion:
    """Open the model that an alias points to.

    Raises:
        SpecError: There is none, it does not say what it has learned from, or it cannot be judged.
    """
    name, _ = read_alias(model)
    version = version_of(model, uri)
    with TemporaryDirectory(prefix="hydrascope-checkpoint-") as folder:
        file = fetch_checkpoint(f"models:/{name}/{version}", uri, Path(folder))
        checkpoint = read_checkpoint(file)
    record = checkpoint.record
    if "learned" not in record:
        raise SpecError(
            f"{model} (version {version}) does not say which windows it has learned from, so "
            "nothing can be held out from it; train, export and register it once with this version "
            "of Hydrascope",
            path="model",
        )
    settings = TrainSettings.model_validate(record["settings"])
    check_heads(model, settings.task.heads)
    spec = InputSpec.model_validate(record["input_spec"])
    diagnoser = load_checkpoint(recipe_of(settings, spec), checkpoint)
    learned, fingerprint = record["learned"], record["data_fingerprint"]
    some = record.get(SOME_LABELS, False)
    return Champion(name, version, settings, diagnoser, spec, learned, fingerprint, some)


def check_heads(model: str, heads: Sequence[HeadSpec]) -> None:
    """Refuse a model without heads.

    Args:
        model: Its name.
        heads: Of its task.

    Raises:
        SpecError: It has only normality.
    """
    if not heads:
        raise SpecError(
            f"{model} answers no head, only normality, so two versions cannot be compared; "
            "expected a model with heads; train this one with train.py, and register it with "
            "export.py",
            path="model",
        )
