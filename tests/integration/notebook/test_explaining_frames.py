"""What answers leaned on, sensor by sensor, is what an explanation of the stored window says."""

import sys
from dataclasses import replace

import pandas as pd
import pytest
from frames import READING, ROWS

from hydrascope import Diagnoser, SpecError
from hydrascope.evaluation.explain import Explained, Question, explain, stored_window
from hydrascope.experiment.restore import restore
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas import TimeWindow

ANSWER = ["start", "head", "component"]


@pytest.fixture(scope="module")
def drivers(diagnoser: Diagnoser, wide: pd.DataFrame) -> pd.DataFrame:
    return diagnoser.explain(wide, reading=READING)


def test_drivers_are_those_of_the_stored_windows(
    light: str, drivers: pd.DataFrame, expected: tuple[pd.DataFrame, list[TimeWindow]]
) -> None:
    _, diagnoser, data = restore(light)
    topology = data.machines["zema"].topology
    sensors = [sensor.id for _, sensor in topology.sensors]
    found = drivers.set_index(ANSWER).sort_index()
    for window in sorted(data.split.test[list(ROWS)].tolist()):
        start = data.table["start"].iloc[window]
        for head, component in (("valve", "valve"), ("cooler", "cooler"), ("stable", None)):
            (spec,) = (each for each in diagnoser.heads if each.name == head)
            number = -1 if component is None else topology.component_index[component]
            asked = Explained(
                diagnoser, stored_window(data.dataset, window), Question(spec, number)
            )
            added = dict(zip(sensors, explain(asked).of_sensors().tolist(), strict=True))
            rows = drivers[(drivers["start"] == start) & (drivers["head"] == head)]
            assert rows["component"].isna().all() == (component is None)
            mine = dict(zip(rows["sensor_id"], rows["added"], strict=True))
            assert mine == pytest.approx(added, abs=1e-4)
    assert len(found) == len(expected[0]) * len(sensors)


def test_what_did_most_comes_first_and_shares_are_those_of_the_whole(
    diagnoser: Diagnoser, drivers: pd.DataFrame, wide: pd.DataFrame
) -> None:
    answers = diagnoser.predict(wide, reading=READING).set_index(ANSWER)["answer"]
    topology = diagnoser.manifest.machines[0].topology
    carrier = {sensor.id: topology.components[number].id for number, sensor in topology.sensors}
    for asked, rows in drivers.groupby(ANSWER, dropna=False):
        assert rows["share"].is_monotonic_decreasing
        assert rows["share"].sum() == pytest.approx(1.0)
        assert (rows["share"] * rows["added"].abs().sum()).to_numpy() == pytest.approx(
            rows["added"].abs().to_numpy()
        )
        assert set(rows["sensor_component"]) <= set(carrier.values())
        assert rows["sensor_component"].tolist() == [carrier[each] for each in rows["sensor_id"]]
        same = answers.loc[asked[:2]]
        assert set(rows["answer"]) == set(same)


def test_a_flag_is_explained_as_it_was_raised_not_by_what_is_more_probable(
    opened: Bundle, diagnoser: Diagnoser, wide: pd.DataFrame
) -> None:
    minute = wide.iloc[:60]
    flag = diagnoser.predict(minute, reading=READING).set_index("head").loc["stable"]
    raised = flag["probability"] * 0.5 if not flag["answer"] else flag["probability"] * 1.01
    manifest = opened.manifest.model_copy(update={"thresholds": {"stable": float(raised)}})
    other = Diagnoser(replace(opened, manifest=manifest), least_right=0.0)
    frames = [
        each.explain(minute, heads=["stable"], reading=READING) for each in (diagnoser, other)
    ]
    first, second = (frame.set_index("sensor_id") for frame in frames)
    assert set(first["answer"]) != set(second["answer"])
    assert (-second["added"].loc[first.index]).to_numpy() == pytest.approx(
        first["added"].to_numpy(), abs=1e-5
    )


def test_only_the_heads_that_are_named_are_explained(
    diagnoser: Diagnoser, drivers: pd.DataFrame, wide: pd.DataFrame
) -> None:
    of_two = diagnoser.explain(wide, heads=["pump", "cooler"], reading=READING)
    named = drivers[drivers["head"].isin(["pump", "cooler"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_two, named)
    with pytest.raises(SpecError, match=r"^heads: no head 'pumps'; accepted: cooler, valve, pump"):
        diagnoser.explain(wide, heads=["pumps"], reading=READING)
    with pytest.raises(SpecError, match=r"heads: 'valve' is not accepted; .* as in \['valve'\]$"):
        diagnoser.explain(wide, heads="valve", reading=READING)


def test_without_captum_the_extra_is_named(
    diagnoser: Diagnoser, wide: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(SpecError, match=r"^explain needs the extra `train`; write pip install"):
        diagnoser.explain(wide, reading=READING)
