"""Labelled windows of each part, counted once; what is refused for want of them, and how."""

import numpy as np
import pandas as pd
import pytest

from hydrascope.data.label_counts import HEAD, count_labels
from hydrascope.data.label_faults import (
    check_columns,
    check_counts,
    check_parts,
    remarks_on_labels,
)
from hydrascope.data.split_spec import Split
from hydrascope.data.targets import encode_targets
from hydrascope.schemas import GraphTopology, HeadSpec, SpecError

NAN = float("nan")


def head(**keys: object) -> HeadSpec:
    plain: dict[str, object] = {"name": "wear", "level": "machine", "kind": "binary"}
    return HeadSpec.model_validate(plain | keys)


CLASSES = [{"value": at, "name": name} for at, name in enumerate(("new", "worn", "gone"))]
GRADED = {"kind": "multi_class", "classes": CLASSES}
LINE = {"kind": "pressure_line", "diameter_mm": 16, "length_m": 2.5, "material": "steel"}
PRESS = GraphTopology.model_validate(
    {
        "id": "press",
        "components": [{"id": "pump", "kind": "pump"}, {"id": "ram", "kind": "cylinder"}],
        "edges": [{"source": "pump", "target": "ram", **LINE}],
    }
)
THIRDS = Split(np.arange(4), np.arange(4, 6), np.arange(6, 9))
"""Four windows train, two validate, three are tested on."""


def counted(spec: HeadSpec, **columns: list[float]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    return count_labels([spec], [PRESS], [encode_targets([spec], PRESS, table)], THIRDS)


def refusal(spec: HeadSpec, **columns: list[float]) -> str:
    with pytest.raises(SpecError) as error:
        check_counts([spec], counted(spec, **columns))
    return str(error.value)


def columns_refusal(spec: HeadSpec, *columns: str) -> str:
    with pytest.raises(SpecError) as error:
        check_columns([spec], [PRESS], [pd.DataFrame(columns=["equipment_id", "start", *columns])])
    return str(error.value)


def test_windows_are_counted_by_part_component_and_class() -> None:
    spec = head(level="component", **GRADED)
    found = counted(
        spec,
        **{"pump.wear": [0, 1, 1, NAN, 1, 0, 2, 2, 0], "ram.wear": [0, NAN, NAN, 1, 0, 0, 0, 0, 1]},
    )
    rows = found.set_index(["component", "class"])[["train", "val", "test"]]
    assert rows.loc[("pump", "new")].tolist() == [1, 1, 1]
    assert rows.loc[("pump", "worn")].tolist() == [2, 1, 0]
    assert rows.loc[("pump", "gone")].tolist() == [0, 0, 2]
    assert rows.loc[("ram", "worn")].tolist() == [1, 0, 1]


def test_the_machines_of_a_source_are_counted_together() -> None:
    spec = head()
    tables = [pd.DataFrame({"wear": values}) for values in ([0, 1, 1, 1, 0], [1, 0, 0, 1])]
    targets = [encode_targets([spec], PRESS, table) for table in tables]
    rows = count_labels([spec], [PRESS, PRESS], targets, THIRDS)
    assert rows[["train", "val", "test"]].to_numpy().tolist() == [[1, 1, 2], [3, 1, 1]]


def test_numbers_are_counted_with_their_lowest_and_highest_in_training() -> None:
    row = counted(head(kind="regression"), wear=[3, NAN, 1, 2, 9, NAN, 4, 4, NAN]).iloc[0]
    assert row[["train", "val", "test", "lowest", "highest"]].tolist() == [3, 1, 2, 1.0, 3.0]


def test_a_part_without_a_window_is_refused_with_what_to_change() -> None:
    check_parts(THIRDS)
    with pytest.raises(SpecError) as error:
        check_parts(THIRDS._replace(val=np.arange(0)))
    assert str(error.value).startswith(
        "data.split: no validation window (4 training, 0 validation, 3 test); record more, or"
    )


@pytest.mark.parametrize(
    ("wear", "message"),
    [
        ([NAN] * 4 + [0, 1, 0, 1, 0], "head 'wear': no labelled window in the training part (lab"),
        ([0, 1, 0, 1, 0, 1] + [NAN] * 3, "head 'wear': no labelled window in the test part (lab"),
        (
            [0, 0, 0, 0, 1, 1, 0, 1, 1],
            "head 'wear': every one of the 4 labels in training is 'new'",
        ),
        ([0, 1, 0, 1, 1, 1, 0, 2, 2], "head 'wear': class 'gone' has no window in training, but 2"),
    ],
)
def test_what_cannot_be_learned_or_judged_is_refused_with_the_windows(
    wear: list[float], message: str
) -> None:
    assert refusal(head(**GRADED), wear=wear).startswith(f"labels: {message}")


HALF = pd.DataFrame({"wear": [0, 1, 0, 1, NAN, NAN, 0, 1, 0], "state": [0.0, 1.0] * 4 + [0.0]})
"""Windows of which the validated ones have no label of wear."""


def test_a_head_without_labels_in_validation_is_said() -> None:
    heads = [head(), head(name="state")]
    counts = count_labels(heads, [PRESS], [encode_targets(heads, PRESS, HALF)], THIRDS)
    check_counts(heads, counts)
    assert remarks_on_labels(heads, counts) == [
        "labels: head 'wear': in validation none; it is not calibrated"
    ]


def test_of_initial_weights_some_heads_may_have_no_label() -> None:
    heads = [head(), head(name="state"), head(name="other")]
    counts = count_labels(heads, [PRESS], [encode_targets(heads, PRESS, HALF)], THIRDS)
    with pytest.raises(SpecError, match="head 'other': no labelled window in the training part"):
        check_counts(heads, counts)
    check_counts(heads, counts, some=True)
    assert "labels: none for 'other', which are neither learned nor judged" in (
        remarks_on_labels(heads, counts)
    )
    with pytest.raises(SpecError, match="head 'other': no labelled window in the training part"):
        check_counts(heads[2:], counts[counts[HEAD] == "other"], some=True)


def test_a_validation_part_without_any_label_is_refused() -> None:
    message = refusal(head(), wear=HALF["wear"].tolist())
    assert message.startswith("labels: no labelled window in the validation part, which chooses")


def test_a_constant_number_is_refused_and_a_varying_one_is_not() -> None:
    spec = head(kind="regression")
    assert "every one of the 4 labels in training is 7" in refusal(spec, wear=[7.0] * 9)
    check_counts([spec], counted(spec, wear=[7, 7, 7, 8, 7, 7, 7, 7, 7]))


def test_one_constant_label_of_several_is_said_and_not_refused() -> None:
    spec = head(kind="multi_label", labels=["leak", "air"])
    counts = counted(spec, leak=[0, 1, 0, 1, 0, 1, 0, 1, 0], air=[0.0] * 9)
    check_counts([spec], counts)
    assert remarks_on_labels([spec], counts) == [
        "labels: head 'wear': in training never air",
        "labels: head 'wear': in test never air",
    ]


def test_constant_labels_of_two_values_are_not_said_to_be_all_alike() -> None:
    spec = head(kind="multi_label", labels=["leak", "air"])
    said = refusal(spec, leak=[1.0] * 9, air=[0.0] * 9)
    assert "head 'wear': no label has two values in training: there is nothing to learn" in said
    said = refusal(spec, leak=[0.0] * 9, air=[0.0] * 9)
    assert "every one of the 8 labels in training is '0'" in said


def test_a_component_without_labels_in_a_part_is_said() -> None:
    spec = head(level="component")
    counts = counted(
        spec, **{"pump.wear": [0, 1, 0, 1, 0, 1, 0, 1, 0], "ram.wear": [0.0] * 4 + [NAN] * 5}
    )
    assert "labels: head 'wear': in test none of ram" in remarks_on_labels([spec], counts)


@pytest.mark.parametrize(
    ("keys", "columns", "message"),
    [
        ({"label": "sealing"}, ["saeling"], "no label column 'sealing'; did you mean 'saeling'?"),
        (
            {"kind": "multi_label", "labels": ["seal_wear", "pump_wear"]},
            ["seal_wear", "pump_waer"],
            "no label column 'pump_wear'; did you mean 'pump_waer'? The labels have: seal_wear, ",
        ),
        (
            {"level": "component"},
            ["pump.wear", "rem.wear"],
            "no label column 'ram.wear'; did you mean 'rem.wear'?",
        ),
        (
            {},
            ["state"],
            "the data source has no label for it; expected a column wear; the labe",
        ),
    ],
)
def test_a_misspelt_label_column_is_named_beside_the_one_that_was_meant(
    keys: dict[str, object], columns: list[str], message: str
) -> None:
    spec = head(**keys)
    found = columns_refusal(spec, *columns)
    assert found.startswith(f"task head 'wear': {message}")


def test_a_component_may_go_without_labels_that_another_has() -> None:
    columns = ["equipment_id", "start", "pump.wear", "ram.weary"]
    check_columns([head(level="component")], [PRESS], [pd.DataFrame(columns=columns)])
