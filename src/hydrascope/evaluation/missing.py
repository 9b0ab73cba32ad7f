"""Evaluation with missing sensors: each sensor alone, and pairs of sensors.

Nothing is refitted: the same model answers the test windows again with sensors removed.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.breakdown import machine_kinds
from hydrascope.evaluation.predictions import LocatedPredictions, joined, predict
from hydrascope.evaluation.removal import SensorRemoval
from hydrascope.evaluation.tally import Tally
from hydrascope.graphs.input_spec import sensor_slot
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.calibration import flag_thresholds

PAIRS = 150
"""The most pairs that are tried; if there are more, so many are drawn."""
SENSORS_OF_PAIRS = 40
"""The most sensors of a machine for which pairs are tried."""
WINDOWS = 1024
"""The most test windows that are answered; if there are more, so many are drawn."""
_BATCH, _SEED = 64, 0

Situation = tuple[str, ...]
"""The names of the missing slots; empty if all sensors are present."""
Tallies = Mapping[Situation, Mapping[str, Tally]]
"""Situation → head → the tally of its answers."""


class Missing(NamedTuple):
    """The results with missing sensors."""

    tallies: Tallies
    windows: int
    """The number of test windows used, over all builds."""
    pairs: int
    """The number of possible pairs; 0 if none was tried."""
    without_pairs: str | None
    """The reason why no pair was tried; None if pairs were."""


def judge_missing(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, *, pairs: bool = True
) -> Missing:
    """Answer the test windows without each sensor, and without pairs of sensors.

    Each sensor is removed from the machines of its build. Pairs are tried if `pairs` is true and
    all machines are of one build.
    """
    rows, random = data.split.test, np.random.default_rng(_SEED)
    if len(rows) > WINDOWS:
        rows = np.sort(random.choice(rows, WINDOWS, replace=False))
    kinds = machine_kinds(data)[rows]
    topologies = {each.topology.id: each.topology for each in data.machines.values()}
    builds = {
        build: [sensor_slot(build, sensor.id) for _, sensor in topologies[build].sensors]
        for build in np.unique(kinds).tolist()
    }
    without_pairs = _no_pairs(list(builds.values())) if pairs else "they were not asked for"
    known: list[Situation] = []
    if without_pairs is None:
        (slots,) = builds.values()
        known = list(combinations(slots, 2))
    tried = known
    if len(known) > PAIRS:
        drawn = np.sort(random.choice(len(known), PAIRS, replace=False))
        tried = [known[number] for number in drawn]
    removal = SensorRemoval(data)
    found: dict[Situation, list[Mapping[str, LocatedPredictions]]] = {}
    for build, slots in builds.items():
        situations = [(), *((slot,) for slot in slots), *tried]
        own = rows[kinds == build]
        for first in range(0, len(own), _BATCH):
            batch = data.dataset.gather(own[first : first + _BATCH])
            for situation in situations:
                answers = predict(diagnoser, [removal.without(batch, situation)])
                found.setdefault(situation, []).append(answers)
    tallies = {
        situation: _tallies(diagnoser, joined(answers)) for situation, answers in found.items()
    }
    return Missing(tallies, len(rows), len(known), without_pairs)


def _no_pairs(builds: Sequence[Sequence[str]]) -> str | None:
    """Return the reason why no pairs are tried; None if they are."""
    if len(builds) != 1:
        return f"the machines are of {len(builds)} builds"
    if len(builds[0]) > SENSORS_OF_PAIRS:
        return f"the machine has {len(builds[0])} sensors, more than {SENSORS_OF_PAIRS}"
    if len(builds[0]) < 2:
        return f"the machine has {len(builds[0])} sensors"
    return None


def _tallies(
    diagnoser: TensorDiagnoser, predictions: Mapping[str, LocatedPredictions]
) -> dict[str, Tally]:
    return {
        head.name: Tally.of(
            head, predictions[head.name], flag_thresholds(head, diagnoser.thresholds)
        )
        for head in diagnoser.heads
    }
