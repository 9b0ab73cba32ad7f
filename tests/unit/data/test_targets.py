"""From labels to targets, and which labels are refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.targets import encode_machines, encode_targets
from hydrascope.schemas import GraphTopology, HeadSpec, SpecError, validate

NAN = float("nan")
GRADES = [
    {"value": 100, "name": "new"},
    {"value": 0, "name": "worn"},
    {"value": 50, "name": "used"},
]


def head(**fields: object) -> HeadSpec:
    plain = {"name": "state", "level": "machine", "kind": "regression"}
    return validate(HeadSpec, plain | fields)


def encoded(head: HeadSpec, topology: GraphTopology, **columns: object) -> Tensor:
    start = pd.date_range("2024-01-01", periods=3, freq="60s", tz="UTC")
    table = pd.DataFrame({"equipment_id": "press", "start": start, **columns})
    return encode_targets([head], topology, table)["state"]


def assert_targets(actual: Tensor, expected: list[object]) -> None:
    """Equal, NaN included."""
    assert actual.dtype == torch.float32
    np.testing.assert_array_equal(actual.numpy(), np.array(expected, dtype=np.float32))


def test_a_class_is_its_position_in_the_heads_own_order(press: GraphTopology) -> None:
    graded = head(kind="multi_class", classes=GRADES)
    assert_targets(encoded(graded, press, state=[0.0, 100.0, 50.0]), [[[1]], [[0]], [[2]]])
    ordinal = head(kind="ordinal", classes=GRADES[::-1])
    assert_targets(encoded(ordinal, press, state=[0.0, 100.0, 50.0]), [[[1]], [[2]], [[0]]])


def test_machines_together_are_encoded_as_each_alone(press: GraphTopology) -> None:
    heads = [head(), head(name="worn", level="component", label="wear")]
    other = press.model_copy(update={"components": press.components[::-1]})
    start = pd.date_range("2024-01-01", periods=5, freq="60s", tz="UTC")
    name = press.components[0].id
    columns: list[dict[str, object]] = [
        {"state": [1.0, 2.0], f"{name}.wear": [0.1, NAN]},
        {"state": [3.0, 4.0, 5.0], f"{name}.wear": [0.2, 0.3, 0.4]},
        {"state": [6.0], f"{name}.wear": [0.5]},
        {"state": [7.0, NAN]},
    ]
    tables = [
        pd.DataFrame({"start": start[: len(next(iter(each.values())))], **each}) for each in columns
    ]
    topologies = [press, press, other, press]
    together = encode_machines(heads, topologies, tables)
    for topology, table, mine in zip(topologies, tables, together, strict=True):
        alone = encode_targets(heads, topology, table)
        assert mine.keys() == alone.keys()
        for key, target in alone.items():
            np.testing.assert_array_equal(mine[key].numpy(), target.numpy())


def test_the_rigs_targets_equal_a_loop_over_its_labels(rig: HydraulicDataModule) -> None:
    topology = rig.machines["zema"].topology
    (machine,) = rig.dataset.machines
    for spec in rig.task.heads:
        target = machine.targets[spec.name]
        values = [each.value for each in spec.classes] or [0, 1]
        expected = [values.index(label) for label in rig.table[spec.columns[0]]]
        if spec.components is None:
            assert target.shape == (2205, 1, 1)
            row = 0
        else:
            row = topology.component_index[spec.components[0]]
            assert target.shape == (2205, 10, 1)
            assert target[:, [i for i in range(10) if i != row]].isnan().all()
        assert target[:, row, 0].tolist() == expected


@pytest.mark.parametrize(
    "column",
    [
        [1.0, NAN, 0.0],
        pd.array([1, None, 0], dtype="Int64"),
        pd.Series([True, None, False], dtype=object),
    ],
)
def test_a_missing_label_is_nan_however_the_table_writes_it(
    press: GraphTopology, column: object
) -> None:
    assert_targets(encoded(head(kind="binary"), press, state=column), [[[1]], [[NAN]], [[0]]])
    assert_targets(encoded(head(), press, state=column), [[[1]], [[NAN]], [[0]]])


def test_a_label_the_table_lacks_is_missing(press: GraphTopology) -> None:
    assert encoded(head(), press).isnan().all()


@pytest.mark.parametrize(
    ("fields", "labels", "message"),
    [
        (
            {"kind": "multi_class", "classes": GRADES},
            [0.0, 100.0, 73.0],
            r"'state' at 2024-01-01 00:02:00\+00:00 is 73; accepted by head 'state': 100, 0, 50",
        ),
        ({"kind": "binary"}, [0.0, 2.0, NAN], "is 2; accepted by head 'state': 0, 1"),
        ({"kind": "binary"}, ["good", "bad", "bad"], "is 'good'; accepted by head 'state': 0, 1"),
        ({}, ["1", "2", "three"], "is 'three'; accepted by head 'state': finite numbers"),
        ({}, [1.0, float("inf"), 2.0], "is inf; accepted by head 'state': finite numbers"),
    ],
)
def test_a_label_that_is_no_class_is_refused_with_its_value_and_the_accepted_ones(
    press: GraphTopology, fields: dict[str, object], labels: list[object], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        encoded(head(**fields), press, state=labels)


def test_a_head_of_several_components_reads_each_ones_own_column(press: GraphTopology) -> None:
    wear = head(level="component", components=["cylinder", "pump"])
    columns: dict[str, object] = {
        "pump.state": [1.0, 2.0, 3.0],
        "cylinder.state": [4.0, NAN, 6.0],
        "die.state": [7.0, 8.0, 9.0],  # the head does not apply to the die
        "state": [0.0, 0.0, 0.0],  # whose state would it be?
    }
    expected = [[[p], [NAN], [c], [NAN]] for p, c in ((1, 4), (2, NAN), (3, 6))]
    assert_targets(encoded(wear, press, **columns), expected)
    del columns["cylinder.state"]
    assert encoded(wear, press, **columns)[:, 2].isnan().all()


def test_a_head_of_all_components_applies_to_all_that_have_a_column(press: GraphTopology) -> None:
    wear = head(level="component")
    columns = {"pump.state": [1.0, 2.0, 3.0], "die.state": [7.0, 8.0, 9.0]}
    expected = [[[p], [NAN], [NAN], [d]] for p, d in ((1, 7), (2, 8), (3, 9))]
    assert_targets(encoded(wear, press, **columns), expected)


def test_a_head_of_one_component_prefers_that_components_own_column(press: GraphTopology) -> None:
    wear = head(level="component", components=["pump"], label="wear")
    plain = {"wear": [1.0, 2.0, 3.0]}
    assert_targets(encoded(wear, press, **plain)[:, 0], [[1], [2], [3]])
    both = plain | {"pump.wear": [4.0, 5.0, 6.0]}
    assert_targets(encoded(wear, press, **both)[:, 0], [[4], [5], [6]])


def test_a_multi_label_head_reads_one_column_a_label(press: GraphTopology) -> None:
    faults = head(kind="multi_label", labels=["leak", "air"])
    columns = {"air": [0.0, 1.0, NAN], "leak": [1.0, 1.0, 0.0]}
    assert_targets(encoded(faults, press, **columns), [[[1, 0]], [[1, 1]], [[0, NAN]]])
    at_pump = head(kind="multi_label", labels=["leak", "air"], level="component")
    columns = {"pump.leak": [1.0, 0.0, NAN]}
    target = encoded(at_pump, press, **columns)
    assert target.shape == (3, 4, 2)
    assert_targets(target[:, 0], [[1, NAN], [0, NAN], [NAN, NAN]])


def test_a_label_above_the_cap_is_the_cap(press: GraphTopology) -> None:
    assert_targets(
        encoded(head(cap=125), press, state=[7.0, NAN, 300.0]), [[[7]], [[NAN]], [[125]]]
    )


def test_a_log_scale_refuses_negative_labels(press: GraphTopology) -> None:
    spec = head(scale="log")
    assert_targets(encoded(spec, press, state=[0.0, NAN, 5.0]), [[[0]], [[NAN]], [[5]]])
    with pytest.raises(SpecError, match=r"is -1; accepted by head 'state': numbers of at least 0"):
        encoded(spec, press, state=[0.0, -1.0, 5.0])


def test_a_regression_with_labels_reads_one_column_a_label(press: GraphTopology) -> None:
    wear = head(kind="regression", level="component", labels=["leak", "rust"], components=["pump"])
    place = [component.id for component in press.components].index("pump")
    columns = {"pump.leak": [0.25, 0.0, 1.0], "pump.rust": [0.5, None, 0.75]}
    found = encoded(wear, press, **columns)
    assert_targets(found[:, place], [[0.25, 0.5], [0.0, NAN], [1.0, 0.75]])
