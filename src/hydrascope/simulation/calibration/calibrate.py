"""The calibration of a machine to windows of sound telemetry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import SpecError
from hydrascope.schemas.signal import Signal
from hydrascope.simulation.build import Build
from hydrascope.simulation.calibration.ensemble import first_guess
from hydrascope.simulation.calibration.errors import (
    Errors,
    LeftOut,
    distance,
    estimate_errors,
    left_out,
)
from hydrascope.simulation.calibration.features import RATE_HZ, Layout, stacked
from hydrascope.simulation.calibration.fit import Fit, Search
from hydrascope.simulation.calibration.forward import ForwardModel, span
from hydrascope.simulation.calibration.parameters import parameters_of
from hydrascope.simulation.calibration.unknowns import Unknowns

Values = NDArray[np.float64]

_LEAST_ROUNDS, _MOST_ROUNDS, _STEPS = 3, 8, 4
"""The rounds, and the most steps in each. Errors are estimated anew before each. At first the model
is taken to leave out all that it is off, so that nothing far away pulls it aside."""
_SETTLED = 0.95
"""The residual after a round, over that before, above which the rounds end."""

FIRST_GUESS = "first guess"
"""The name of the first step."""

Window = Mapping[str, Signal]
"""The signals of a window by sensor id, in the units of the machine file."""


class Calibration(NamedTuple):
    """A calibrated machine."""

    model: ForwardModel
    recorded: Values
    """[W, F], NaN where unknown."""
    before: Values
    """[W, F], what the machine file and the estimates expect."""
    errors: Errors
    fit: Fit
    left_out: LeftOut
    """What the model leaves out."""


def calibrate(
    build: Build,
    windows: Sequence[Window],
    window_s: float,
    spreads: Mapping[str, float] | None = None,
    seed: int = 0,
    advance: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Calibrate a machine to windows of sound telemetry.

    Args:
        build: The machine and its duty.
        windows: What was recorded while the machine was sound.
        window_s: The length of each.
        spreads: Other spreads than the usual ones, see `parameters_of`.
        seed: The seed of simulated scatter.
        advance: Called with the name of a step after each simulated window.

    Raises:
        SpecError: Nothing was recorded that a simulation has, or a spread is of no value.
    """
    layout = layout_of(build, windows)
    unknowns = Unknowns(parameters_of(build, spreads or {}), build.duty, len(windows))
    model = ForwardModel(build, unknowns, layout, window_s)
    recorded = stacked(layout, windows)
    before = model.predicted(np.zeros(unknowns.size))
    guess = first_guess(model, recorded, seed, lambda: advance(FIRST_GUESS))
    start, off = _nearer(model, recorded, (np.zeros(unknowns.size), guess))
    search = Search(model, recorded, start, lambda: advance("fit"))
    left, sizes = distance(layout, off), [_size(model, off)]
    for number in range(_MOST_ROUNDS):
        errors = estimate_errors(
            model, search.unknowns, left, seed + number, lambda: advance("scatter")
        )
        search.improve(errors, _STEPS)
        off = recorded - model.predicted(search.unknowns) - errors.bias
        rest = left_out(model, errors, off)
        # No sensor is given up on the way.
        left = LeftOut(*(np.minimum(*each) for each in zip(left, rest, strict=True)))
        sizes.append(_size(model, off))
        if settled(sizes):
            break
    final = replace(
        errors,
        model=np.maximum(rest.shared, errors.least),
    )
    return Calibration(model, recorded, before + errors.bias, final, search.result(final), rest)


def settled(sizes: Sequence[float]) -> bool:
    """Return whether no other round is worth it, by the residuals at the start and after each."""
    return len(sizes) > _LEAST_ROUNDS and sizes[-1] > _SETTLED * sizes[-2]


def _nearer(
    model: ForwardModel, recorded: Values, starts: Sequence[Values]
) -> tuple[Values, Values]:
    """Return the unknowns whose numbers are nearer to those recorded, and how far they are."""
    every = [(start, recorded - model.predicted(start)) for start in starts]
    return min(every, key=lambda each: _size(model, each[1]))


def _size(model: ForwardModel, off: Values) -> float:
    """Return the root mean square of differences [W, F], as shares of the sensors' ranges."""
    spans = np.repeat([span(each) for each in model.channels], model.layout.each)
    return float(np.sqrt(np.nanmean((off / spans) ** 2)))


def layout_of(build: Build, windows: Sequence[Window]) -> Layout:
    """Return the numbers of windows: of all sensors that are simulated and were recorded.

    Raises:
        SpecError: There is no such sensor.
    """
    sensors, rates_hz = [], []
    for channel in build.channels:
        found = [window[channel.sensor.id] for window in windows if channel.sensor.id in window]
        found = [each for each in found if np.isfinite(each.values).any()]
        if found:
            sensors.append(channel.sensor.id)
            own_hz = min(each.rate_hz for each in found)
            rates_hz.append(min(RATE_HZ, own_hz, channel.sensor.rate_hz))
    if not sensors:
        known = ", ".join(each.sensor.id for each in build.channels)
        raise SpecError(f"none of the simulated sensors was recorded; there are: {known}")
    cycle_s = build.duty.duration_s if build.duty.in_step else None
    return Layout(tuple(sensors), tuple(rates_hz), cycle_s)
