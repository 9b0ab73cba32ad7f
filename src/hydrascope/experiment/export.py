"""The export job: a checkpoint becomes a bundle whose answers are proven equal."""

from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from hydrascope import __version__
from hydrascope.experiment.restore import restore
from hydrascope.experiment.settings import ExportSettings
from hydrascope.packaging.bundle import write_bundle
from hydrascope.packaging.manifest import Manifest, WindowManifest

GOLDEN_BATCHES = (16, 1, 2, 64)
"""Windows in each batch that exported and eager answers are compared on."""


def run(settings: ExportSettings) -> None:
    """Write the bundle of `settings.ckpt` to `settings.output`."""
    console = Console()
    trained, diagnoser, data = restore(settings.ckpt)
    with console.status("Exporting …"):
        manifest = Manifest(
            hydrascope=__version__,
            libraries={name: version(name) for name in ("torch", "numpy")},
            task=trained.task,
            window=WindowManifest(
                window_s=trained.data.window.window_s, steps=trained.data.window.steps
            ),
            features=trained.features,
            input_spec=data.input_spec,
            machines=tuple(data.machines.values()),
            data_fingerprint=data.source.fingerprint,
            parity=float("nan"),
            files={},
        )
        test = data.split.test.tolist()
        golden = [data.dataset.gather(test[:size]).inputs for size in GOLDEN_BATCHES]
        folder = Path(settings.output).absolute()
        manifest = write_bundle(folder, diagnoser, manifest, golden)
    console.print(f"Largest difference between exported and eager answers: {manifest.parity:.1e}")
    console.print(f"Bundle: {folder}")
