"""What missing sensors cost: found where it must be, and summed up as one would by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from benchmarks._missing import added, read, written
from pydantic import BaseModel
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation import missing
from hydrascope.evaluation.missing import Missing, judge_missing
from hydrascope.evaluation.missing_report import missing_report, summary
from hydrascope.evaluation.page.missing import in_words, missing_section
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.evaluation.tally import Tally
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ModelOutput, Network
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas import HeadSpec, validate
from hydrascope.schemas.task import HeadLevel

TELLING = "zema_rig/PS3"
CLASSES = [{"value": v, "name": f"{v}"} for v in range(3)]
GRADED = validate(
    HeadSpec, {"name": "valve", "level": "machine", "kind": "multi_class", "classes": CLASSES}
)
FAULTS = validate(
    HeadSpec,
    {"name": "faults", "level": "machine", "kind": "multi_label", "labels": ["leak", "wear"]},
)
WEAR = validate(HeadSpec, {"name": "wear", "level": "machine", "kind": "regression"})
HEADS = (GRADED, FAULTS, WEAR)
LIMITS = {"faults": (0.3, 0.6)}


class NoKeys(BaseModel):
    """A configuration without any keys."""


class Recognising(Network):
    """Knows windows by what one sensor said, and their classes; else it says the first class."""

    Config = NoKeys

    def __init__(self, config: BaseModel, spec: InputSpec, heads: Sequence[HeadSpec]) -> None:
        super().__init__(config, spec, heads)

    def learn(self, data: HydraulicDataModule) -> None:
        """Learn the test windows by heart."""
        batch = data.dataset.gather(data.split.test)
        self.slot = data.input_spec.sensor_slots.index(TELLING)
        self.seen, _ = self.said(batch.inputs)
        self.targets = {}
        for head in self.answered:
            target = batch.targets[head.name]
            if head.level is HeadLevel.COMPONENT:  # one component has labels
                target = target[~target[:, 0].isnan()]
            self.targets[head.name] = target[:, 0].long()

    def said(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Return what the sensor said in each window, and whether it said anything."""
        own = inputs.sensor_slot == self.slot
        return inputs.sensor_features[own].flatten(1), inputs.sensor_observed[own].any(1)

    def forward(self, inputs: GraphInputs) -> ModelOutput:
        said, there = self.said(inputs)
        nearest = torch.cdist(said, self.seen).argmin(1)
        heads = {}
        for head in self.answered:
            chosen = torch.where(there, self.targets[head.name][nearest], 0)
            if head.classes:
                raw = 4.0 * torch.nn.functional.one_hot(chosen, len(head.classes)).float()
            else:
                raw = 4.0 * (2.0 * chosen.float().unsqueeze(1) - 1.0)
            machine = head.level is HeadLevel.MACHINE
            heads[head.name] = raw if machine else raw[inputs.component_graph]
        return ModelOutput(heads)


@pytest.fixture(scope="module")
def recognising(rig: HydraulicDataModule) -> TensorDiagnoser:
    spec = rig.input_spec
    model = Recognising(NoKeys(), spec, rig.task.heads)
    model.learn(rig)
    normalizer = FeatureNormalizer(17, 1, len(spec.feature_names), False, 20.0, "none")
    return TensorDiagnoser(normalizer, model).eval()


def test_the_sensor_that_tells_everything_is_the_worst_to_lose(
    rig: HydraulicDataModule, recognising: TensorDiagnoser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "PAIRS", 20)
    found = judge_missing(recognising, rig)
    report = missing_report(recognising.heads, found)
    assert report["windows"] == 440
    assert len(report["sensors"]) == 17
    lost = {row["sensor"]: row["heads"] for row in report["sensors"]}
    targets = rig.table.iloc[rig.split.test]
    for head in recognising.heads:
        first = head.classes[0].value if head.classes else 0
        share = float((targets[head.name] == first).mean())
        assert report["none"][head.name]["value"] == 1
        assert lost["PS3"][head.name]["value"] == pytest.approx(share)
        assert all(heads[head.name]["value"] == 1 for name, heads in lost.items() if name != "PS3")
        assert all(heads[head.name]["rows"] == 440 for heads in lost.values())
    worst = report["summary"]["worst"]
    assert worst["missing"] == [TELLING]
    assert worst["value"] == min(cell["value"] for cell in lost["PS3"].values())
    # As sure as ever: what it says where nothing is seen has the logits that it always has.
    assert report["summary"]["wrong_confidence"] > 0.9
    for name, cell in lost["PS3"].items():
        assert cell["ece"] > report["none"][name]["ece"]
    # Pairs are drawn, the same each time, and are bad where that sensor is among them.
    assert report["pairs"]["situations"] == 20
    assert report["pairs"]["of"] == 136
    pairs = {each: tallies for each, tallies in found.tallies.items() if len(each) == 2}
    for pair, tallies in pairs.items():
        assert (tallies["valve"].value(recognising.heads[1]) == 1) == (TELLING not in pair)
    assert list(pairs) == [e for e in judge_missing(recognising, rig).tallies if len(e) == 2]


def test_no_pairs_are_tried_of_a_machine_of_too_many_sensors_and_few_windows_of_many(
    rig: HydraulicDataModule, recognising: TensorDiagnoser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "SENSORS_OF_PAIRS", 16)
    monkeypatch.setattr(missing, "WINDOWS", 100)
    report = missing_report(recognising.heads, judge_missing(recognising, rig))
    assert report["pairs"] == {"of": 0, "reason": "the machine has 17 sensors, more than 16"}
    assert report["windows"] == 100
    assert {cell["rows"] for row in report["sensors"] for cell in row["heads"].values()} == {100}
    assert "Pairs were not tried: the machine has 17 sensors" in in_words(report)


def rows(random: np.random.Generator, count: int) -> dict[str, LocatedPredictions]:
    """Return answers and truths, of which some are right."""
    p = random.dirichlet([0.5] * 3, count)
    answers = {
        "valve": (p, np.where(random.random((count, 1)) < 0.6, p.argmax(1)[:, None], 1)),
        "faults": (random.random((count, 2)), random.integers(0, 2, (count, 2))),
        "wear": (random.random((count, 1)), random.random((count, 1))),
    }
    window = torch.arange(count)
    return {
        name: LocatedPredictions(
            torch.from_numpy(answer).float(), torch.from_numpy(target).float(), window, window
        )
        for name, (answer, target) in answers.items()
    }


def by_hand(situations: list[dict[str, LocatedPredictions]]) -> dict[str, float]:
    """Sum up answer after answer."""
    values, sure, asked = [], [], []
    for each in situations:
        p, y = each["valve"].prediction.numpy(), each["valve"].target[:, 0].numpy()
        right = [row.argmax() == true for row, true in zip(p, y, strict=True)]
        values.append(np.mean(right))
        sure += [row.max() for row, ok in zip(p, right, strict=True) if not ok]
        asked += [(row.max(), ok) for row, ok in zip(p, right, strict=True)]
        p, y = each["faults"].prediction.numpy(), each["faults"].target.numpy()
        f1 = []
        for label, limit in enumerate(LIMITS["faults"]):
            pairs = [
                (q >= limit, true == 1, q) for q, true in zip(p[:, label], y[:, label], strict=True)
            ]
            hits = sum(said and there for said, there, _ in pairs)
            off = sum(said != there for said, there, _ in pairs)
            f1.append(2 * hits / (2 * hits + off))
            sure += [q if said else 1 - q for said, there, q in pairs if said != there]
            asked += [(q, there) for _, there, q in pairs]
        values.append(np.mean(f1))
        q, y = each["wear"].prediction[:, 0].numpy(), each["wear"].target[:, 0].numpy()
        values.append(1 - ((q - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right_one in asked:
        bins.setdefault(min(14, int(float(confidence) * 15)), []).append((confidence, right_one))
    gaps = [abs(sum(c for c, _ in each) - sum(ok for _, ok in each)) for each in bins.values()]
    return {
        "mean": float(np.mean(values)),
        "lowest": float(min(values)),
        "wrong_confidence": float(np.mean(sure)),
        "ece": float(sum(gaps) / len(asked)),
    }


def tallied(each: dict[str, LocatedPredictions]) -> dict[str, Tally]:
    return {head.name: Tally.of(head, each[head.name], LIMITS.get(head.name, ())) for head in HEADS}


def test_summaries_are_what_one_counts_by_hand() -> None:
    random = np.random.default_rng(3)
    situations = [rows(random, 90) for _ in range(4)]
    tallies = {(f"press/{n}",): tallied(each) for n, each in enumerate(situations)}
    found, expected = summary(HEADS, tallies), by_hand(situations)
    assert found["situations"] == 4
    for name in ("mean", "wrong_confidence", "ece"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    assert found["worst"]["value"] == pytest.approx(expected["lowest"], abs=1e-6)


def test_tallies_of_parts_add_up_to_that_of_the_whole_and_survive_writing() -> None:
    whole = rows(np.random.default_rng(4), 80)
    first = torch.arange(80) < 30
    for head in (GRADED, FAULTS):
        limits = LIMITS.get(head.name, ())
        one, two = (Tally.of(head, whole[head.name].where(c), limits) for c in (first, ~first))
        both = read(written(added(one, two)))
        expected = Tally.of(head, whole[head.name], limits)
        assert both.rows == expected.rows == 80
        for name in ("metric", "wrong", "bins"):
            np.testing.assert_allclose(getattr(both, name), getattr(expected, name))


def test_the_page_names_builds_where_there_are_several_and_shades_the_lowest_most() -> None:
    random = np.random.default_rng(5)
    names = ("press/p", "mill/p")
    tallies = {(): tallied(rows(random, 60))} | {(n,): tallied(rows(random, 30)) for n in names}
    found = Missing(tallies, 60, 0, "the machines are of 2 builds")
    section = missing_section(missing_report(HEADS, found))
    assert list(section["builds"]) == ["press", "mill"]
    cells = [cell for each in section["builds"].values() for row in each for cell in row["cells"]]
    assert max(float(cell["shade"]) for cell in cells) == 0.6
    assert all(cell["text"] for cell in cells)
    worst = summary(HEADS, {k: v for k, v in tallies.items() if k})["worst"]
    assert f"lowest for {worst['head']} without {worst['missing'][0]}" in section["said"]
    assert "the main metric of each target" in section["said"]
