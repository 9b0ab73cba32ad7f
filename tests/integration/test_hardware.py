"""What is asked of the hardware and is not there is one line that names it."""

import pytest
import torch
from jobs import SMALL, Train, train_settings

from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.schemas.errors import SpecError


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (8, 9), (9, 0)])
def test_float8_needs_a_gpu_of_capability_8_9(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Card")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    settings = train_settings(*SMALL, "hardware=gpu_float8", "hardware.threads=null", "run_dir=x")
    if capability >= (8, 9):
        prepare_hardware(settings.hardware, settings.trainer)
        return
    with pytest.raises(
        SpecError, match=rf"8\.9 or more, Card has {capability[0]}\.{capability[1]}"
    ):
        prepare_hardware(settings.hardware, settings.trainer)


def test_compiling_on_the_cpu_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    settings = train_settings(*SMALL, "hardware.compile=true", "run_dir=x")
    with pytest.raises(SpecError, match=r"hardware\.compile: needs .* 'no-such-compiler'"):
        prepare_hardware(settings.hardware, settings.trainer)


@pytest.mark.parametrize(
    "overrides",
    [
        ("hardware.float8=emulated", "hardware.checkpointing=true"),
        ("hardware.precision=bf16-mixed",),
        ("loss.balancing=upgrad",),
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in (("loss.balancing=uncertainty",), ("model=mlp",), ("model=arma",))
        ),
    ],
    ids=lambda overrides: overrides[0],
)
def test_every_toggle_trains_and_answers(run_training: Train, overrides: tuple[str, ...]) -> None:
    run_dir = run_training(*overrides, "trainer.max_epochs=1", "trainer.limit_train_batches=2")
    assert (run_dir / "results.json").exists()
    assert "train/loss" in (run_dir / "metrics.csv").read_text()
