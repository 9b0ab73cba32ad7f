"""Checkpoints are read without executing them, and what is none is refused in one line."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from hydrascope.schemas import SpecError
from hydrascope.training.checkpoint import read_checkpoint, write_checkpoint, write_fitted

WEIGHTS = {"model.a": torch.arange(6.0).reshape(2, 3), "normalizer.mean": torch.ones(4)}
CONTENT: dict[str, Any] = {
    "hydrascope": {"settings": {"seed": 42, "lr": 2e-3, "names": ["a", "b"]}, "input_spec": {}},
    "state_dict": {
        **{f"diagnoser.{name}": value for name, value in WEIGHTS.items()},
        "val_metrics.0.total": torch.zeros(()),
    },
    "epoch": 7,
    "optimizer_states": [{"state": {0: {"step": torch.ones(())}}}],
}


def refusal(path: Path) -> str:
    with pytest.raises(SpecError) as error:
        read_checkpoint(path)
    message = str(error.value)
    assert message.startswith(f"ckpt: {str(path)!r} ")
    assert "\n" not in message
    return message


def test_a_checkpoint_gives_its_record_its_epoch_and_the_diagnosers_weights(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save(CONTENT, path)
    for name in (path, str(path)):
        checkpoint = read_checkpoint(name)
        assert checkpoint.record == CONTENT["hydrascope"]
        assert checkpoint.epoch == 7
        assert checkpoint.weights.keys() == WEIGHTS.keys()
        for weight, expected in WEIGHTS.items():
            assert torch.equal(checkpoint.weights[weight], expected)


class Planted:
    """What an attacker puts into a pickle: a call that runs on loading."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("place", ["hydrascope", "state_dict", "callbacks"])
def test_a_pickled_object_is_refused_and_never_executed(tmp_path: Path, place: str) -> None:
    path, trace = tmp_path / "planted.ckpt", tmp_path / "executed"
    torch.save(CONTENT | {place: {"diagnoser.x": Planted(trace)}}, path)
    assert "is damaged or not a checkpoint" in refusal(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # the trap does work
    assert trace.exists()


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.ckpt"
    torch.save(CONTENT, path)
    whole = path.read_bytes()
    Image.new("RGB", (4, 4)).save(tmp_path / "image.png")
    for content in (
        b"",
        b"not a checkpoint\n",
        whole[:100],
        whole[: len(whole) // 2],
        whole[:-10],
        (tmp_path / "image.png").read_bytes(),
    ):
        path.write_bytes(content)
        assert "is damaged or not a checkpoint" in refusal(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_no_damage_whatever_ends_in_another_error(tmp_path: Path) -> None:
    path, chance = tmp_path / "some.ckpt", random.Random(0)
    torch.save(CONTENT, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for round_ in range(300):
        damaged = bytearray(whole if round_ % 2 else chance.randbytes(60))
        for _ in range(3):
            damaged[chance.randrange(min(200, len(damaged)))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)  # a byte of a weight may change unnoticed
        except SpecError:
            continue


def test_a_checkpoint_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"
    for content in (
        WEIGHTS,
        [1, 2],
        {name: value for name, value in CONTENT.items() if name != "hydrascope"},
        {name: value for name, value in CONTENT.items() if name != "state_dict"},
        CONTENT | {"epoch": "seven"},
    ):
        torch.save(content, path)
        assert "was not written by Hydrascope's train.py" in refusal(path)


def test_a_checkpoint_of_a_version_before_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    state = {"diagnoser.network.a": torch.zeros(1)}
    forecasting = {"settings": {"task": {"normality": {"weight": 1.0}}}}
    for older in (
        CONTENT | {"readout": {}},
        CONTENT | {"state_dict": state},
        CONTENT | {"hydrascope": forecasting},
    ):
        torch.save(older, path)
        assert "older version of Hydrascope; train again" in refusal(path)


def test_a_model_of_closed_form_has_no_epoch_and_keeps_what_its_state_needs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "checkpoints" / "best.ckpt"
    write_checkpoint(path, CONTENT["hydrascope"], WEIGHTS, {"questions": [["pump", 3, [0, 2]]]})
    write_fitted(path, WEIGHTS, {"temperatures": {}})
    checkpoint = read_checkpoint(path)
    assert checkpoint.epoch is None
    assert checkpoint.fitted == {"questions": [["pump", 3, [0, 2]]]}
    assert checkpoint.calibration == {"temperatures": {}}
    assert checkpoint.weights.keys() == WEIGHTS.keys()
    assert [file.name for file in path.parent.iterdir()] == ["best.ckpt"]


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nowhere.ckpt")
    assert "directory" in refusal(tmp_path)
