"""Checkpoints are whole, and a run that goes on keeps the best of before in a folder of its own."""

import resource
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint_files import (
    KeptCheckpoint,
    WholeCheckpoints,
    copy_whole,
    save_whole,
)


class Scripted(LightningModule):
    """Has in each epoch the score that it was told."""

    def __init__(self, scores: Sequence[float]) -> None:
        super().__init__()
        self.scores = scores
        self.weight = torch.nn.Parameter(torch.ones(1))

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        return (self.weight * batch).sum()

    def on_train_epoch_end(self) -> None:
        self.log("score", self.scores[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder: Path, scores: Sequence[float], resume: Path | None = None) -> KeptCheckpoint:
    before = resume.parent if resume else None
    best = KeptCheckpoint(
        folder, before=before, filename="best", monitor="score", save_on_train_epoch_end=True
    )
    last = KeptCheckpoint(folder, before=before, filename="last", save_on_train_epoch_end=True)
    if before and (before / "best.ckpt").is_file():
        copy_whole(before / "best.ckpt", folder)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=len(scores),
        callbacks=[best, last],
        plugins=WholeCheckpoints(),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = DataLoader(torch.ones(2, 1))
    trainer.fit(Scripted(scores), data, ckpt_path=resume, weights_only=True)
    return best


def epoch(file: str | Path) -> int:
    return int(torch.load(file, weights_only=True)["epoch"])


def test_the_best_of_before_stays_the_best_wherever_the_old_folder_has_moved(
    tmp_path: Path,
) -> None:
    scores = (0.5, 0.1, 0.9, 0.8)
    fit(tmp_path / "first", scores[:3])
    moved = (tmp_path / "first").rename(tmp_path / "moved")
    content = {file.name: file.read_bytes() for file in moved.iterdir()}
    best = fit(tmp_path / "on", scores, moved / "last.ckpt")
    assert best.best_model_path == str(tmp_path / "on" / "best.ckpt")
    assert epoch(best.best_model_path) == 1
    assert float(best.best_model_score or 0) == pytest.approx(0.1)
    assert epoch(tmp_path / "on" / "last.ckpt") == 3
    assert {file.name: file.read_bytes() for file in moved.iterdir()} == content


def test_a_better_epoch_behind_it_replaces_the_best_of_before(tmp_path: Path) -> None:
    fit(tmp_path / "first", (0.5, 0.4))
    best = fit(tmp_path / "on", (0.5, 0.4, 0.2), tmp_path / "first" / "last.ckpt")
    assert (epoch(best.best_model_path), epoch(tmp_path / "first" / "best.ckpt")) == (2, 1)


def test_equal_content_gives_equal_bytes_whichever_objects_it_shares(tmp_path: Path) -> None:
    step, same = "step", [1, 2]
    shared = {"a": {step: same}, "b": {step: same}}
    apart = {"a": {"step": [1, 2]}, "b": {"".join(("st", "ep")): [1, 2]}}
    save_whole(shared, tmp_path / "shared.ckpt")
    save_whole(apart, tmp_path / "apart.ckpt")
    assert (tmp_path / "shared.ckpt").read_bytes() == (tmp_path / "apart.ckpt").read_bytes()
    module = torch.nn.BatchNorm1d(2)
    save_whole(module.state_dict(), tmp_path / "module.ckpt")
    loaded = torch.load(tmp_path / "module.ckpt", weights_only=True)
    assert loaded._metadata == module.state_dict()._metadata


def test_a_checkpoint_holds_no_folder(tmp_path: Path) -> None:
    fit(tmp_path / "first", (0.5,))
    assert str(tmp_path).encode() not in (tmp_path / "first" / "last.ckpt").read_bytes()


def test_a_checkpoint_without_the_best_one_beside_it_is_refused(tmp_path: Path) -> None:
    fit(tmp_path / "first", (0.5, 0.6))
    (tmp_path / "first" / "best.ckpt").unlink()
    with pytest.raises(SpecError, match=r"resume: .*best\.ckpt is missing, the best checkpoint"):
        fit(tmp_path / "on", (0.5, 0.6, 0.7), tmp_path / "first" / "last.ckpt")


def test_where_there_is_no_room_the_checkpoint_of_before_stays(tmp_path: Path) -> None:
    file = tmp_path / "best.ckpt"
    save_whole({"epoch": 1}, file)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OSError, match=r"best\.ckpt"):
            save_whole({"epoch": 2, "weights": torch.ones(1000)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [each.name for each in tmp_path.iterdir()] == ["best.ckpt"]
    assert epoch(file) == 1
