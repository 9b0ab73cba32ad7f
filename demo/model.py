"""The model of the demo, which is trained once and kept."""

import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from hydrascope.packaging.files import check_bundle
from hydrascope.schemas.errors import SpecError

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "demo"
"""What the demo keeps: its model and the logs of the last time."""
_CHOSEN = ("experiment=zema", "model=discriminant", "baselines=false", "tracking=none")


def kept_or_trained(console: Console) -> Path:
    """Return the folder of the demo's bundle; train and export it if there is none to use.

    Raises:
        CalledProcessError: A step failed, and has said why.
    """
    folder, run = FOLDER / "bundle", FOLDER / "run"
    if not _is_usable(folder):
        console.print(f"A model is trained first, and kept in {FOLDER.relative_to(ROOT)}.")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(run, ignore_errors=True)
        _step("train.py", *_CHOSEN, f"run_dir={run}")
        _step("export.py", f"ckpt={run / 'checkpoints' / 'best.ckpt'}", f"output={folder}")
    return folder


def _is_usable(folder: Path) -> bool:
    """Return whether there is a bundle that this version reads."""
    try:
        check_bundle(folder)
    except SpecError:
        return False
    return True


def _step(script: str, *given: str) -> None:
    subprocess.run([sys.executable, ROOT / script, *given], cwd=ROOT, check=True)
