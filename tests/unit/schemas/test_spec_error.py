"""What is wrong is data: read by programs as it is, and by people as text."""

import pickle

import pytest

from hydrascope.schemas.errors import Fault, SpecError, validate
from hydrascope.schemas.time import TimeWindow


def test_faults_keep_path_and_message_apart() -> None:
    error = SpecError(("edges[3].length_m", "missing: expected metres"), "no line: nothing is left")

    assert error.faults == (
        Fault("edges[3].length_m", "missing: expected metres"),
        Fault("", "no line: nothing is left"),
    )
    assert str(error) == "edges[3].length_m: missing: expected metres\nno line: nothing is left"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SpecError("not there", path="folder"), "folder: not there"),
        (SpecError("not there", path="folder", source="train.py"), "train.py: folder: not there"),
        (SpecError("a", ("b", "c"), source="rig.yaml"), "rig.yaml: 2 errors\n  a\n  b: c"),
    ],
)
def test_the_text_leads_with_the_source_and_counts_several_faults(
    error: SpecError, text: str
) -> None:
    assert str(error) == text


def test_faults_of_a_part_are_found_below_its_path() -> None:
    found = SpecError(("start", "missing"), "nothing in it").under("windows[2]")

    assert found.faults == (("windows[2].start", "missing"), ("windows[2]", "nothing in it"))


def test_validation_names_each_field_by_its_path() -> None:
    with pytest.raises(SpecError) as refused:
        validate(TimeWindow, {"start": "yesterday", "finish": 1}, source="window")

    assert refused.value.source == "window"
    assert [fault.path for fault in refused.value.faults] == ["start", "end", "finish"]


def test_an_error_comes_whole_out_of_another_process() -> None:
    error = SpecError("none at hand", path="version", source="serve.py")

    back = pickle.loads(pickle.dumps(error))

    assert (str(back), back.faults, back.source) == (str(error), error.faults, "serve.py")
