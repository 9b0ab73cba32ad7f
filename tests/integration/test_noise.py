"""What answers is the network: with noise for weights, every answer changes and no figure is left.

For every experiment file with a network, each with its own data, features and heads, only smaller.
No other test trains all of them.
"""

from pathlib import Path
from statistics import median

import pytest
import torch
from jobs import FEW_HELD_OUT, ROOT, SMALL, train_settings

from hydrascope.data.loaders import create_dataloader
from hydrascope.evaluation.predictions import LocatedPredictions, predict
from hydrascope.evaluation.report import head_metrics
from hydrascope.experiment import train
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.restore import Restored, restore
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.tasks.metrics import PRIMARY_METRIC

NO_NETWORK = "zema_normality"
"""Its detector is spoilt in `test_normality`."""
EXPERIMENTS = sorted(
    {file.stem for file in (ROOT / "conf" / "experiment").glob("*.yaml")} - {NO_NETWORK}
)
QUICK_ONES = ("finetune", "zema")
"""Those that `make test` trains; the others are variants of them."""
RIG = (
    "model.hidden_channels=32",
    "trainer.max_epochs=7",
    "trainer.refit_fraction=null",
    "trainer.limit_train_batches=12",
    FEW_HELD_OUT,
)
# So few machines can only be learned by heart, and are judged by that.
BY_HEART = (
    "trainer.max_epochs=25",
    "data.batch_size=16",
    "data.transforms.sensor_dropout=0",
    "model.input_noise=0",
    "optim.weight_decay=0",
    "callbacks.monitor=train/loss",
)
FLEET = (
    *BY_HEART,
    "data.source.machines_per_kind=6",
    "data.source.hours=0.1",
    "data.source.commissioning=1",
    "data.window.steps=2",
)
# Two circuits are judged that were not learned from.
CIRCUITS = ("data.source.circuits=6", "data.split.folds=3", "data.split.val_fraction=0.2")
# Its weights can answer before they learn anything here.
FINETUNED = (
    "data=fleet",
    "data.source.kinds=[robot]",
    "data.window.steps=4",
    "data.reference={label: commissioning, first_h: null}",
    "data.split.folds=3",
    "trainer.max_epochs=4",
)
RIGS = (
    *BY_HEART,
    "data.source.rigs=12",
    "data.source.recordings=4",
    "data.split.val_fraction=0.2",
)
# An average over many more steps than these would not have left its beginning.
QUICK = ("trainer.limit_train_batches=null", "optim.ema_decay=null", "optim.lr=4e-3")


def settings_of(experiment: str, run_dir: Path) -> TrainSettings:
    smaller = RIG if experiment.startswith("zema") else FLEET
    if experiment == "rig_from_simulation":
        smaller = RIGS
    if experiment == "pretrain":
        smaller += CIRCUITS
    if experiment == "finetune":
        smaller += FINETUNED
    return train_settings(
        f"run_dir={run_dir}", f"experiment={experiment}", *SMALL, *QUICK, *smaller
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(each, marks=[pytest.mark.slow] if each not in QUICK_ONES else [])
        for each in EXPERIMENTS
    ],
)
def restored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Restored:
    folder = tmp_path_factory.mktemp(request.param)
    train.run(settings_of(request.param, folder))
    return restore(str(folder / "checkpoints" / "best.ckpt"))


def spoil(restored: Restored, seed: int = 0) -> None:
    """Put noise of the same size in place of every weight, and leave all else as it was fitted."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in restored.diagnoser.model.parameters():
            noise = torch.randn(weight.shape, generator=random)
            weight.copy_(noise * weight.square().mean().sqrt().clamp(min=0.02))


def judged(restored: Restored) -> dict[str, LocatedPredictions]:
    data = restored.data
    learned = "kind" in data.table or "reference" in data.table
    rows = data.split.train if learned else data.split.test
    return predict(restored.diagnoser, create_dataloader(data.dataset, data.loader, rows))


def primary(restored: Restored, answers: dict[str, LocatedPredictions]) -> dict[str, float]:
    heads = restored.diagnoser.heads
    metrics = head_metrics(heads, answers, restored.diagnoser.thresholds)
    return {head.name: metrics[head.name][PRIMARY_METRIC[head.kind]] for head in heads}


def chance(head: HeadSpec, rows: LocatedPredictions) -> float:
    """What the best answer reaches that is the same for all windows."""
    target = rows.target[~rows.target.isnan().any(dim=1)]
    if head.kind is HeadKind.REGRESSION:
        return 0.0
    if head.kind is HeadKind.MULTI_LABEL:
        share = target.mean(0)
        return float((2 * share / (1 + share)).mean())
    return float(target[:, 0].long().bincount().max() / len(target))


def test_noise_for_weights_changes_every_answer_and_leaves_chance(restored: Restored) -> None:
    trained = judged(restored)
    batch = restored.data.dataset.gather(restored.data.split.test[:64])
    before = restored.diagnoser.predict(batch.inputs)
    worth = primary(restored, trained)
    spoil(restored)
    after = restored.diagnoser.predict(batch.inputs)
    for head in restored.diagnoser.heads:
        differs = (before[head.name] - after[head.name]).abs().nan_to_num()
        assert (differs > 1e-6).float().mean() > 0.1, head.name
    noise = judged(restored)
    left = [primary(restored, noise)]
    for seed in (1, 2):  # one draw of noise may answer a few windows by luck
        spoil(restored, seed)
        left.append(primary(restored, judged(restored)))
    for head in restored.diagnoser.heads:
        usual = median(each[head.name] for each in left)
        assert usual < chance(head, noise[head.name]) + 0.05, head.name
        assert usual < worth[head.name], head.name
