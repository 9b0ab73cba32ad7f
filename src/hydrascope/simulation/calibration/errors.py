"""How far recorded and simulated numbers may differ, if the machine is the simulated one.

Three errors add up. Cycles and noise differ from window to window. Gain and offset of a sensor are
the same in all windows. So is what the model leaves out; its size follows from the residuals.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydrascope.simulation.calibration.forward import ForwardModel, span
from hydrascope.simulation.instruments import ACCURACY

Values = NDArray[np.float64]

_LEAST_REPEATS, _EXACT_REPEATS = 200, 40
_SHRINKAGE = 0.1
"""The share by which correlations between numbers are taken smaller than they were found."""
_MEDIAN = 1.4826
"""The standard deviation of a normal distribution over the median of its sizes."""
_OUTLIER = 3.0
_LEAST = 1e-3
"""The least error of the model, as a share of the sensor's range (of it per second)."""


@dataclass(frozen=True)
class Errors:
    """The errors of numbers of windows.

    Shapes: W windows, F numbers.
    """

    bias: Values
    """[F], what scatter adds to the numbers on average."""
    scatter: Values
    """[F, F], the covariance from window to window."""
    sensors: Values
    """[2 S, W, F], what a standard deviation of each sensor's gain and offset changes."""
    model: Values
    """[F], the standard deviation of what the model leaves out."""

    def covariance(self, known: NDArray[np.bool_]) -> Values:
        """Return the covariance of the numbers that are known [W, F], in order."""
        windows, size = known.shape
        whole = np.kron(np.eye(windows), self.scatter)
        shared = self.sensors.reshape(len(self.sensors), -1)
        whole += shared.T @ shared
        whole += np.kron(np.ones((windows, windows)), np.diag(self.model**2))
        at = np.flatnonzero(known.reshape(windows * size))
        return whole[np.ix_(at, at)]


def estimate_errors(
    model: ForwardModel,
    unknowns: Values,
    left_out: Values,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> Errors:
    """Estimate the errors about some unknowns by simulations with scatter.

    Args:
        model: The machine.
        unknowns: About which it scatters.
        left_out: [F], what the model leaves out; at least `least_error` of it is taken.
        seed: The seed of the scatter.
        advance: Called after each simulated window.
    """
    expected = model.predicted(unknowns)
    rng = np.random.default_rng(seed)
    off = []
    for repeat in range(repeats(model)):
        window = repeat % model.unknowns.windows
        off.append(model.scattered(unknowns, window, rng) - expected[window])
        advance()
    drawn = np.array(off)
    bias = drawn.mean(axis=0)
    return Errors(
        bias=bias,
        scatter=_scatter(model, drawn) + np.diag(least_error(model) ** 2),
        sensors=_of_sensors(model, expected + bias),
        model=np.maximum(left_out, least_error(model)),
    )


def repeats(model: ForwardModel) -> int:
    """Return how many windows are simulated for the scatter."""
    if model.exact:
        return _EXACT_REPEATS
    return max(_LEAST_REPEATS, 2 * model.layout.size)


def _scatter(model: ForwardModel, drawn: Values) -> Values:
    """Return the covariance of numbers [F, F] by their draws [repeats, F].

    The inverse of a covariance that was estimated from few draws is too large on average. So the
    covariance is taken larger (J. Hartlap et al., "Why your model parameter confidences might be
    too optimistic", Astron. Astrophys. 464, 2007). Without scatter of cycles only noise is left,
    which is independent.
    """
    if model.exact:
        return np.diag(drawn.var(axis=0, ddof=1))
    covariance = np.cov(drawn, rowvar=False)
    diagonal = np.diag(np.diag(covariance))
    shrunk: Values = (1.0 - _SHRINKAGE) * covariance + _SHRINKAGE * diagonal
    return shrunk * (len(drawn) - 1.0) / (len(drawn) - model.layout.size - 2.0)


def least_error(model: ForwardModel) -> Values:
    """Return the least error of the model [F]."""
    return np.repeat([_LEAST * span(each) for each in model.channels], model.layout.each)


def _of_sensors(model: ForwardModel, expected: Values) -> Values:
    """Return what gain and offset of each sensor change [2 S, W, F]."""
    levels, layout = model.layout.levels(), model.layout
    changes = np.zeros((2 * len(layout.sensors), *expected.shape))
    for number, channel in enumerate(model.channels):
        accuracy, at = ACCURACY[channel.sensor.kind], layout.of(number)
        changes[2 * number, :, at] = accuracy.gain * expected[:, at]
        changes[2 * number + 1, :, at] = accuracy.offset * span(channel) * levels[at]
    return changes


def left_out(model: ForwardModel, errors: Errors, off: Values) -> Values:
    """Return how much the model leaves out [F], by what is left after a fit.

    That is the part of the mean residual over all windows that neither scatter nor the sensor
    explains. It is one value for the levels of a sensor and one for its speed of change, the median
    of their sizes. A number that is much further off has its own, so that a part of a cycle
    that the model cannot have does not take the weight from all others.

    Args:
        model: The machine.
        errors: The errors that the fit took.
        off: [W, F], what was recorded less what the fit expects; NaN where unknown.
    """
    layout = model.layout
    count = np.maximum(np.isfinite(off).sum(axis=0), 1)
    mean = np.where(np.isfinite(off), off, 0.0).sum(axis=0) / count
    explained = np.diag(errors.scatter) / count + (errors.sensors.mean(axis=1) ** 2).sum(axis=0)
    rest = np.sqrt(np.maximum(0.0, mean**2 - explained))
    found = np.zeros(layout.size)
    levels = layout.levels()
    for number in range(len(layout.sensors)):
        own = np.zeros(layout.size, dtype=bool)
        own[layout.of(number)] = True
        for group in (own & levels, own & ~levels):
            usual = _MEDIAN * np.median(rest[group])
            found[group] = np.where(rest[group] > _OUTLIER * usual, rest[group], usual)
    return found
