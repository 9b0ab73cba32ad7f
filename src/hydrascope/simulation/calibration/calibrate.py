"""The calibration of a machine to windows of sound telemetry."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas import SpecError
from hydrascope.schemas.signal import Signal
from hydrascope.simulation.build import Build
from hydrascope.simulation.calibration.ensemble import first_guess
from hydrascope.simulation.calibration.errors import Errors, estimate_errors, left_out
from hydrascope.simulation.calibration.features import RATE_HZ, Layout, stacked
from hydrascope.simulation.calibration.fit import Fit, fit
from hydrascope.simulation.calibration.forward import ForwardModel
from hydrascope.simulation.calibration.parameters import parameters_of
from hydrascope.simulation.calibration.unknowns import Unknowns

Values = NDArray[np.float64]

_ROUNDS = (6, 4)
"""The most steps in each round; errors are estimated anew before each."""

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
    left = np.zeros(layout.size)
    prior = np.zeros(unknowns.size)
    before = model.predicted(prior)
    found = first_guess(model, recorded, seed, lambda: advance("first guess"))
    for number, steps in enumerate(_ROUNDS):
        errors = estimate_errors(model, found, left, seed + number, lambda: advance("scatter"))
        result = fit(model, recorded, errors, found, steps, lambda: advance("fit"))
        found = result.unknowns
        left = left_out(model, errors, recorded - result.expected)
    return Calibration(model, recorded, before + errors.bias, errors, result)


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
