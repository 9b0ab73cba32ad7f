"""Machines of one build that differ more from each other than within themselves.

What is normal for one of them is not for another. One threshold for all then raises too many alarms
on some and hides the faults of others, and a new machine may be unlike all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT, WindowNumbers
from hydrascope.models.blocks.sensor_layout import sensor_graph
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.normality import MACHINE, NormalitySpec
from hydrascope.training.fit_normality import held_out_scores

SCORES = "scores"
"""The name of the machines' scores among what machines may differ in."""
_SIGNIFICANT = 0.01
_NAMED = 6
"""The most machines, and the most sensors, that a remark names."""


class _Held(NamedTuple):
    """Values of one kind on the held-out windows of one build."""

    build: str
    name: str
    """`SCORES`, or the id of a sensor."""
    window: WindowNumbers
    """[R]."""
    value: NDArray[np.float64]
    """[R, F]; NaN: unknown."""


@torch.no_grad()
def differing_machines(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec
) -> list[dict[str, Any]]:
    """Compare the machines of each build by the held-out windows to learn from.

    They are compared by their scores, as multiples of the threshold, and by the level of each
    sensor: the mean of each normalised feature over a window. An offset that training has shown is
    part of what was learned, so it may be seen in the levels alone.

    Returns:
        For each build whose machines differ: its topology id as `build`, and `differ_in`: `SCORES`
        or the id of a sensor → the `spread`, the widest first. Data that were not trained on have
        no held-out windows, so nothing is compared.
    """
    assert diagnoser.normality is not None
    if not len(data.split.val):
        return []
    held = [*_scores(diagnoser, data, spec), *_levels(diagnoser, data)]
    machine, comparisons = data.table[EQUIPMENT].to_numpy(), sum(h.value.shape[1] for h in held)
    found: dict[str, dict[str, Any]] = {}
    for each in held:
        if differ := spread(machine[each.window], each.value, comparisons):
            found.setdefault(each.build, {})[each.name] = differ
    return [
        {"build": build, "differ_in": dict(sorted(of.items(), key=_width, reverse=True))}
        for build, of in found.items()
    ]


def _scores(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec
) -> Iterator[_Held]:
    assert diagnoser.normality is not None
    score, key, of_build, window = held_out_scores(diagnoser, data, spec)[MACHINE]
    keys = torch.from_numpy(key), torch.from_numpy(of_build)
    share = score / diagnoser.normality.threshold(MACHINE, *keys).double().numpy()
    for number, build in enumerate(data.input_spec.builds):
        own = of_build == number
        yield _Held(build, SCORES, window[own], share[own][:, None])


def _levels(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> Iterator[_Held]:
    parts = []
    for batch in data.learned_dataloader(data.split.val):
        inputs = diagnoser.normalise(batch.inputs)
        seen = inputs.sensor_observed.unsqueeze(-1)
        total = (inputs.sensor_features * seen).sum(1)
        level = total / seen.sum(1)  # NaN without an observed step
        parts.append((level.double(), inputs.sensor_slot, batch.window[sensor_graph(inputs)]))
    levels, slot, window = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
    topologies = {each.topology.id: each.topology for each in data.machines.values()}
    for build, topology in topologies.items():
        for _, sensor in topology.sensors:
            own = slot == data.input_spec.slot(build, sensor.id)
            yield _Held(build, sensor.id, window[own], levels[own])


def spread(
    machine: NDArray[np.object_], value: NDArray[np.float64], comparisons: int
) -> dict[str, Any] | None:
    """Return how far machines differ in the value that differs most, or None if they do not.

    They differ if the variance between machines exceeds the variance within them (one-way analysis
    of variance: the variance of the machines' means, less what their windows alone explain), and an
    F-test rejects equal means at 1 % / `comparisons` (Bonferroni). Machines with fewer than two
    windows do not count.

    Args:
        machine: The machine of each window, [R].
        value: Its values, [R, F]; NaN: unknown.
        comparisons: The number of values that are tested in all.

    Returns:
        `between_sd` and `within_sd`: the standard deviations. `means`: machine → its mean, from the
        lowest to the highest.
    """
    known = ~np.isnan(value).any(1)
    count = pd.Series(machine[known]).value_counts()
    known &= np.isin(machine, count.index[count > 1])
    groups = pd.DataFrame(value[known]).groupby(machine[known])
    size, means = groups.size().to_numpy(float)[:, None], groups.mean()
    if len(size) < 2:
        return None
    mean, left = means.to_numpy(), size.sum() - len(size)
    within = (groups.var().to_numpy() * (size - 1)).sum(0) / left
    explained = (size * (mean - (size * mean).sum(0) / size.sum()) ** 2).sum(0) / (len(size) - 1)
    between = mean.var(0, ddof=1) - within * (1 / size).mean()
    with np.errstate(divide="ignore", invalid="ignore"):  # values that never change
        p_value = f_distribution.sf(explained / within, len(size) - 1, left)
        ratio = np.where(p_value < _SIGNIFICANT / comparisons, between / within, 0.0)
    most = int(ratio.argmax())
    if ratio[most] <= 1:
        return None
    ordered = means[most].sort_values()
    return {
        "between_sd": float(between[most] ** 0.5),
        "within_sd": float(within[most] ** 0.5),
        "means": {str(name): float(each) for name, each in ordered.items()},
    }


def spread_remarks(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a remark for each build of `differing_machines`."""
    lines = []
    for each in found:
        names = list(each["differ_in"])
        widest = each["differ_in"][names[0]]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        of = names[0] if names[0] == SCORES else f"{names[0]}, normalised"
        lines.append(
            f"Normality: the {len(widest['means'])} machines of {each['build']} differ more from "
            f"each other than within themselves, in {', '.join(names[:_NAMED])}{more}. Means of "
            f"{of}: {_named(widest['means'])}. The false-alarm rate need not hold for each "
            "of them, nor for another machine"
        )
    return lines


def _width(named: tuple[str, Mapping[str, Any]]) -> float:
    """Return the ratio of the two standard deviations of a spread."""
    _, each = named
    return float(np.divide(each["between_sd"], each["within_sd"])) if each["within_sd"] else np.inf


def _named(means: Mapping[str, float]) -> str:
    """Name the machines with their means; of many only the lowest and the highest."""
    shown = [f"{name} {mean:.2f}" for name, mean in means.items()]
    if len(shown) > _NAMED:
        shown = [*shown[: _NAMED // 2], "…", *shown[-_NAMED // 2 :]]
    return ", ".join(shown)
