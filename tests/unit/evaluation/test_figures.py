"""Confusion counts against scikit-learn; pictures that can be opened and show something."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix

from hydrascope.evaluation.figures import (
    confusion_counts,
    save_confusion_matrix,
    save_machine_graph,
)
from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.schemas import GraphTopology, HeadSpec, TaskSpec, validate
from hydrascope.telemetry import ZemaSource


def head(kind: str, classes: int = 0) -> HeadSpec:
    fields: dict[str, object] = {"name": "state", "level": "machine", "kind": kind, "unit": "bar"}
    if classes:
        fields["classes"] = [{"value": 10 * k, "name": f"class {k}"} for k in range(classes)]
    return validate(HeadSpec, fields)


def rows(classes: int, count: int = 80) -> HeadPredictions:
    """Random answers; the last class is never true."""
    generator = torch.Generator().manual_seed(classes)
    prediction = torch.rand(count, classes if classes > 2 else 1, generator=generator)
    target = torch.randint(0, max(classes - 1, 2), (count, 1), generator=generator)
    return HeadPredictions(prediction, target.float())


@pytest.mark.parametrize(
    ("kind", "classes"), [("binary", 0), ("multi_class", 3), ("ordinal", 5), ("multi_class", 4)]
)
def test_confusion_counts_equal_sklearn(kind: str, classes: int) -> None:
    width = classes or 2
    answers = rows(width)
    if kind == "binary":
        chosen = (answers.prediction[:, 0] > 0.5).numpy()
    else:
        chosen = answers.prediction.numpy().argmax(axis=1)
    expected = confusion_matrix(answers.target[:, 0].numpy(), chosen, labels=range(width))
    np.testing.assert_array_equal(confusion_counts(head(kind, classes), answers).numpy(), expected)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def assert_shows_something(image: np.ndarray, least_side: int) -> None:
    assert min(image.shape[:2]) >= least_side
    inked = (image.sum(axis=2) < 3 * 255 - 30).mean()
    assert 0.01 < inked < 0.9
    assert len(np.unique(image @ [1, 256, 65536])) > 20


@pytest.mark.parametrize(("kind", "classes"), [("binary", 0), ("ordinal", 5)])
def test_a_confusion_matrix_is_drawn(tmp_path: Path, kind: str, classes: int) -> None:
    path = tmp_path / "confusion.png"
    save_confusion_matrix(head(kind, classes), rows(classes or 2), path)
    assert_shows_something(pixels(path), 250)


def test_right_and_wrong_answers_give_different_pictures(tmp_path: Path, task: TaskSpec) -> None:
    spec = next(each for each in task.heads if each.name == "valve")
    target = torch.arange(4.0).repeat(10).unsqueeze(1)
    right = torch.eye(4)[target[:, 0].long()]
    images = []
    for name, prediction in (("right", right), ("wrong", right.roll(1, dims=1))):
        path = tmp_path / f"{name}.png"
        save_confusion_matrix(spec, HeadPredictions(prediction, target), path)
        images.append(pixels(path))
    assert images[0].shape == images[1].shape
    assert (images[0] != images[1]).mean() > 0.02


def test_a_matrix_without_any_row_can_still_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    save_confusion_matrix(
        head("ordinal", 3), HeadPredictions(torch.zeros(0, 3), torch.zeros(0, 1)), path
    )
    assert_shows_something(pixels(path), 250)


def test_machines_are_drawn_with_their_lines(
    tmp_path: Path, zema: ZemaSource, press: GraphTopology
) -> None:
    rig = zema.machines()[zema.equipment_id].topology
    for topology in (rig, press):
        path = tmp_path / f"{topology.id}.png"
        save_machine_graph(topology, topology.id, path)
        image = pixels(path)
        assert_shows_something(image, 500)
        pressure = np.array([0xC0, 0x39, 0x2B])
        assert (np.abs(image - pressure).sum(axis=2) < 10).sum() > 100
