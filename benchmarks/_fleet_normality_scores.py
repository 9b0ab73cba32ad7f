"""Scores of healthy and of growing machines by our detectors."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks._fleet_normality_data import (
    Seeds,
    Size,
    growing,
    opened,
    settings,
    sound,
    training,
)
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.dataset import TrainingBatch
from hydrascope.data.windows import EQUIPMENT
from hydrascope.evaluation.detectors import DETECTORS
from hydrascope.experiment.assemble import recipe_of
from hydrascope.experiment.statistics import with_statistics
from hydrascope.models.alarm_test import mean_since_quiet
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.operating import covariates
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.normality import BLAME, MACHINE, OPERATING_POINT
from hydrascope.schemas.task import HEALTH
from hydrascope.simulation.faults import Fault
from hydrascope.training.closed_form import fit_closed_form, learned_rows, with_model
from hydrascope.training.fit_normality import calibrate, held_out_scores

_SEED = 42
Floats = NDArray[np.float64]


class Machines(NamedTuple):
    """The windows of M machines, W of each in order of time."""

    kind: NDArray[np.str_]
    """[M]"""
    fault: NDArray[np.str_]
    """The fault that grows, [M]; empty for sound machines."""
    severity: Floats
    """[M, W]"""
    share: Floats
    """The machines' scores as multiples of their thresholds, [M, W]; NaN: not scored."""
    new: NDArray[np.bool_]
    """True where a machine is at a new operating point, [M, W]."""
    blamed: Floats
    """1 where the faulty component is the most probable one to blame since the sum of the alarm
    test was 0, else 0, [M, W]; NaN where none is blamed or nothing is faulty."""


class Scored(NamedTuple):
    """What one detector says."""

    width: float
    """Of its alarm test."""
    held_out: dict[str, Floats]
    """The scores of held-out windows by kind, not divided by thresholds."""
    threshold: dict[str, float]
    """By kind."""
    sound: Machines
    growing: Machines


def scored(size: Size, seeds: Seeds) -> Iterator[tuple[str, Scored]]:
    """Yield each detector's name and scores."""
    base = training(size, seeds)
    found = settings(*base)
    learned = opened(found)
    judged = [
        opened(settings(*base, *more(size, seeds)), learned.input_spec) for more in (sound, growing)
    ]
    for name, diagnoser in _fitted(size, seeds, learned):
        yield name, _of(diagnoser, learned, judged[0], judged[1])


def _fitted(
    size: Size, seeds: Seeds, data: HydraulicDataModule
) -> Iterator[tuple[str, TensorDiagnoser]]:
    spec = data.task.normality
    assert spec is not None
    first = with_statistics(recipe_of(settings(*training(size, seeds)), data.input_spec), data)
    inputs = data.input_spec
    for name, kind in DETECTORS.items():
        normality = Normality(inputs, covariates=covariates(inputs, spec.operating_point))
        own = with_model(first, kind(kind.Config(), inputs, ()), normality)
        fit_closed_form(own, data, learned_rows(data), _SEED)
        calibrate(own, data, spec)
        yield name, own


def _of(
    diagnoser: TensorDiagnoser,
    learned: HydraulicDataModule,
    sound_data: HydraulicDataModule,
    growing_data: HydraulicDataModule,
) -> Scored:
    spec, normality = learned.task.normality, diagnoser.normality
    assert spec is not None
    assert normality is not None
    test = normality.alarm_test(MACHINE)
    assert test is not None
    held_out = held_out_scores(diagnoser, learned, spec)[MACHINE]
    builds = {build: number for number, build in enumerate(learned.input_spec.builds)}
    return Scored(
        test.width,
        {build: held_out.score[held_out.build == row] for build, row in builds.items()},
        {build: float(normality.threshold_machine[row]) for build, row in builds.items()},
        _machines(diagnoser, sound_data),
        _machines(diagnoser, growing_data),
    )


def _machines(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> Machines:
    share, point, windows, blame = [], [], [], []
    for batch in data.test_dataloader():
        answers = diagnoser.predict(batch.inputs)
        share.append(answers[MACHINE][:, 0])
        point.append(answers[OPERATING_POINT][:, 0])
        windows.append(batch.window)
        blame.append(_blame(answers.get(BLAME), batch, data))
    order = torch.argsort(torch.cat(windows)).numpy()
    rows = torch.cat(windows).numpy()[order]
    table = data.table.iloc[rows]
    machines = table[EQUIPMENT].nunique()

    def by_machine(values: NDArray[np.float64]) -> Floats:
        return values.reshape(machines, -1)

    faults = [fault.value for fault in Fault]
    active = table[faults].to_numpy(np.float64).reshape(machines, -1, len(faults)).max(1)
    fault = np.where(active.max(1) > 0, np.array(faults)[active.argmax(1)], "")
    assert diagnoser.normality is not None
    test = diagnoser.normality.alarm_test(MACHINE)
    assert test is not None
    shares = by_machine(torch.cat(share).double().numpy()[order])
    by_component = np.moveaxis(np.concatenate(blame)[order].reshape(*shares.shape, -1), 2, 0)
    totals = np.broadcast_to(test.run(shares), by_component.shape)
    probability = np.moveaxis(mean_since_quiet(by_component, totals), 0, 2)
    return Machines(
        by_machine(table["kind"].to_numpy())[:, 0].astype(str),
        fault,
        by_machine(1.0 - table["health"].to_numpy(np.float64)),
        shares,
        by_machine(torch.cat(point).numpy()[order] > 1.0),
        by_machine(_right(probability.reshape(len(rows), -1), table, data)),
    )


def _blame(blame: Tensor | None, batch: TrainingBatch, data: HydraulicDataModule) -> Floats:
    """Return the probability of each component, [G, most components]; NaN where there is none."""
    found = np.full((len(batch.window), data.input_spec.most_components), np.nan)
    if blame is not None:
        graph, place = batch.inputs.component_graph.numpy(), batch.inputs.component_place.numpy()
        found[graph, place] = blame[:, 0].numpy()
    return found


def _right(probability: Floats, table: pd.DataFrame, data: HydraulicDataModule) -> Floats:
    """Return whether the least healthy component of each window is the most probable one, [W]."""
    found = np.full(len(table), np.nan)
    for number, (_, row) in enumerate(table.iterrows()):
        components = data.machines[row[EQUIPMENT]].topology.components
        health = np.array([row.get(f"{each.id}.{HEALTH}", np.nan) for each in components], float)
        own = probability[number, : len(components)]
        if np.nanmin(health, initial=1.0) < 1.0 and not np.isnan(own).any():
            found[number] = own.argmax() == np.nanargmin(health)
    return found
