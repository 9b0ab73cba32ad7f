"""Explanations of a really trained model, against what deleting their cells does."""

import pytest
import torch
from jobs import DISCRIMINANT, Train
from torch import Tensor

from hydrascope.evaluation.explain import (
    Explained,
    ExplainedWindow,
    Question,
    explain,
    stored_window,
)
from hydrascope.experiment.restore import Restored, restore
from hydrascope.schemas import fitness
from hydrascope.schemas.fitness import SensorState


def deletion_curve(explained: Explained, order: Tensor, points: int) -> Tensor:
    """Return the score when more and more of a window is made usual, [points + 1].

    V. Petsiuk, A. Das, K. Saenko, "RISE", BMVC 2018: the better an explanation, the faster what it
    names first takes the score away.

    `order` has the [S · T] cells in the order in which they go.
    """
    cells, usual = explained.features[0].flatten(0, 1), explained.usual[0].flatten(0, 1)
    rows = []
    for number in range(points + 1):
        gone = torch.zeros(len(cells), dtype=torch.bool)
        gone[order[: round(len(order) * number / points)]] = True
        rows.append(torch.where(gone.unsqueeze(1), usual, cells))
    with torch.no_grad():
        return explained.score(torch.stack(rows).reshape(points + 1, *explained.features.shape[1:]))


@pytest.fixture(scope="module")
def restored(run_training: Train) -> Restored:
    overrides = ("trainer.max_epochs=2", "trainer.limit_train_batches=12")
    return restore(str(run_training(*overrides) / "checkpoints" / "best.ckpt"))


@pytest.fixture(scope="module")
def discriminant(run_training: Train) -> Restored:
    overrides = (*DISCRIMINANT, "model.max_rows=500")
    return restore(str(run_training(*overrides) / "checkpoints" / "best.ckpt"))


@pytest.mark.parametrize(
    "answered_by",
    [
        pytest.param("discriminant", marks=pytest.mark.slow),
        pytest.param("restored", id="network"),
    ],
)
def test_what_an_explanation_names_first_matters_more_than_what_chance_names(
    answered_by: str, request: pytest.FixtureRequest
) -> None:
    _, diagnoser, data = request.getfixturevalue(answered_by)
    random = torch.Generator().manual_seed(0)
    (head,) = (head for head in diagnoser.heads if head.name == "valve")
    component = data.machines["zema"].topology.component_index["valve"]
    taken: dict[str, list[float]] = {"named": [], "random": []}
    for window in data.split.test[::55].tolist():
        asked = Explained(diagnoser, stored_window(data.dataset, window), Question(head, component))
        found = explain(asked)
        # What was added explains the whole difference.
        total = float(found.attribution.sum())
        assert total == pytest.approx(found.score - found.usual, rel=0.05, abs=0.05)
        cells = found.attribution.flatten()
        orders = {"named": [cells.argsort(descending=True)]}
        orders["random"] = [torch.randperm(len(cells), generator=random) for _ in range(4)]
        for name, several in orders.items():
            curves = [deletion_curve(asked, order, 10) for order in several]
            assert all(float(c[0]) == pytest.approx(found.score, abs=1e-3) for c in curves)
            assert all(float(c[-1]) == pytest.approx(found.usual, abs=1e-3) for c in curves)
            taken[name].append(float(torch.stack(curves).mean()))
    named, by_chance = (torch.tensor(taken[name]) for name in ("named", "random"))
    assert (named < by_chance).float().mean() >= 0.9
    assert float(by_chance.mean() - named.mean()) > 0.2 * float(by_chance.std())


def test_a_sensor_that_is_made_wrong_is_named(restored: Restored) -> None:
    _, diagnoser, data = restored
    topology = data.machines["zema"].topology
    (head,) = (head for head in diagnoser.heads if head.name == "stable")
    window = stored_window(data.dataset, int(data.split.test[0]))
    asked = Explained(diagnoser, window, Question(head))
    sensors = [sensor.id for _, sensor in topology.sensors]
    number = sensors.index("TS1")
    usual = asked.usual
    slot = data.dataset.gather([int(data.split.test[0])]).inputs.sensor_slot[number]
    asked.features = usual.clone()
    asked.features[0, number] += 3 * diagnoser.normalizer.scale[slot]
    found = explain(asked)
    of_sensors = found.of_sensors().abs()
    assert int(of_sensors.argmax()) == number
    assert float(of_sensors.sum() - of_sensors[number]) == pytest.approx(0, abs=1e-5)
    of_components = found.of_components(topology)
    holder = next(c.id for c in topology.components if "TS1" in [s.id for s in c.sensors])
    assert max(of_components, key=lambda name: abs(of_components[name])) == holder


def test_an_answer_is_explained_by_the_sensors_that_it_was_given_by(restored: Restored) -> None:
    _, diagnoser, data = restored
    sensors = [sensor.id for _, sensor in data.machines["zema"].topology.sensors]
    number = sensors.index("PS1")
    (head,) = (head for head in diagnoser.heads if head.name == "stable")
    layout, fields, reference = stored_window(data.dataset, int(data.split.test[0]))
    scaled, observed = fields.sensor_features.clone(), fields.sensor_observed.clone()
    scaled[:, number] *= 10
    observed[:, number] = False
    wrong = fields._replace(sensor_features=scaled)
    state = diagnoser.predict(layout.batch(wrong, reference))[fitness.STATE]
    assert state[number] == SensorState.DOUBTFUL
    found, without = (
        explain(Explained(diagnoser, ExplainedWindow(layout, each, reference), Question(head)))
        for each in (wrong, fields._replace(sensor_observed=observed))
    )
    assert found.of_sensors()[number] == 0
    torch.testing.assert_close(found.attribution, without.attribution)
    assert found.score == pytest.approx(without.score)
