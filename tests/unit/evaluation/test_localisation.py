"""What heads say of the components of a window, joined; against hand-made windows."""

import numpy as np
import torch

from hydrascope.evaluation.localisation import find_places
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.schemas import HeadSpec, validate

NAN = float("nan")
FAULTS = validate(
    HeadSpec,
    {"name": "faults", "level": "component", "kind": "multi_label", "labels": ["leak", "wear"]},
)
SOUND = validate(HeadSpec, {"name": "sound", "level": "component", "kind": "binary", "healthy": 1})


def rows(prediction: object, target: object, window: list[int], component: list[int]):
    plain = (torch.tensor(each, dtype=torch.float32) for each in (prediction, target))
    return LocatedPredictions(*plain, torch.tensor(window), torch.tensor(component))


def test_the_evidence_of_a_component_is_the_highest_probability_of_any_fault() -> None:
    faults = rows(
        [[0.1, 0.75], [0.5, 0.25], [0.9, 0.9], [0.25, 0.0], [0.5, 0.99]],
        [[0, 1], [0, 0], [0, 0], [1, 0], [0, NAN]],
        [7, 7, 8, 9, 9],  # of 8 no component is faulty
        [0, 1, 0, 0, 2],
    )
    places = find_places([FAULTS], {"faults": faults})
    assert places.window.tolist() == [7, 9]
    np.testing.assert_allclose(places.evidence, [[0.75, 0.5, -np.inf], [0.25, -np.inf, 0.5]])
    assert places.faulty.tolist() == [[True, False, False], [True, False, False]]


def test_several_heads_say_it_together_and_one_may_speak_of_what_is_sound() -> None:
    faults = rows([[0.5, 0.25], [0.25, 0.25]], [[0, 0], [0, 0]], [3, 3], [0, 1])
    sound = rows([[0.75], [0.0]], [[1], [0]], [3, 3], [0, 1])
    places = find_places([FAULTS, SOUND], {"faults": faults, "sound": sound})
    np.testing.assert_allclose(places.evidence, [[0.5, 1.0]])
    assert places.faulty.tolist() == [[False, True]]


def test_a_window_of_one_labelled_component_tells_nothing_of_places() -> None:
    alone = rows([[0.5, 0.25]], [[1, 0]], [3], [0])
    assert len(find_places([FAULTS], {"faults": alone}).window) == 0
    assert len(find_places([FAULTS], {"faults": alone.where(torch.tensor([False]))}).window) == 0
    assert len(find_places([], {}).window) == 0
