"""A training that was ended part-way, moved and resumed is the uninterrupted one, byte for byte.

All folders are those that `train.py` makes when nothing is said about them.
"""

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from jobs import FEW_HELD_OUT, ROOT, SMALL

from hydrascope.experiment.job_settings import validate_train
from hydrascope.experiment.launch import launch

OPTIONS = (
    *(each for each in SMALL if not each.startswith(("data.store", "trainer.limit"))),
    "data.window.steps=2",
    FEW_HELD_OUT,
    "trainer.max_epochs=4",
    "data.batch_size=256",
)


@pytest.fixture(scope="module")
def patch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as context:
        context.chdir(tmp_path_factory.mktemp("work"))
        yield context


def runs() -> set[Path]:
    return set(Path("outputs/train").glob("*/*"))


def trained(patch: pytest.MonkeyPatch, *overrides: str) -> Path:
    """Run the script in this process, and return the folder that it made."""
    before = runs()
    patch.setattr(sys, "argv", ["train.py", *OPTIONS, *overrides])
    launch("train", validate_train, "hydrascope.experiment.train", ROOT / "conf")
    (made,) = runs() - before
    return made


@pytest.fixture(scope="module")
def uninterrupted(patch: pytest.MonkeyPatch) -> Path:
    return trained(patch)


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def losses(run_dir: Path) -> pd.DataFrame:
    """Return every logged loss by epoch, as the text that was written."""
    rows = pd.read_csv(run_dir / "metrics.csv", dtype=str).dropna(subset="epoch")
    columns = [name for name in rows if "loss" in name]
    return rows.groupby(rows["epoch"].astype(int))[columns].first()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_training_that_is_ended_moved_and_resumed_writes_the_files_of_an_uninterrupted_one(
    number: signal.Signals,
    uninterrupted: Path,
    patch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    before = runs()
    command = [sys.executable, str(ROOT / "train.py"), *OPTIONS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            while not any((run / "checkpoints" / "last.ckpt").exists() for run in runs() - before):
                assert process.poll() is None, "the training ended without a checkpoint"
                time.sleep(0.01)
            process.send_signal(number)
            code = process.wait(timeout=200)
        finally:
            process.kill()
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143}[number]
    (ended,) = runs() - before
    assert not (ended / "results.json").exists()
    moved = tmp_path / "archive" / "old"
    moved.parent.mkdir()
    ended.rename(moved)
    left = hashes(moved)
    resumed = trained(patch, f"resume={moved / 'checkpoints' / 'last.ckpt'}")
    assert hashes(moved) == left
    whole, again = hashes(uninterrupted), hashes(resumed)
    for file in ("results.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        assert again[file] == whole[file], file
    # Every step has its own dropout and every epoch its own order: both come back.
    later = losses(resumed)
    assert 1 <= len(later) <= 3
    # SIGTERM stops within an epoch, whose mean loss is then that of its remaining steps.
    whole_epochs = later if number is signal.SIGKILL else later.iloc[1:]
    assert whole_epochs.equals(losses(uninterrupted).loc[whole_epochs.index])
    assert later.index[-1] == 3
