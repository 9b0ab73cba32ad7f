"""How far recorded and simulated numbers may differ, if the machine is the simulated one.

Three errors add up. Cycles and noise differ from window to window. Gain and offset of a sensor are
the same in all windows. So is what the model leaves out; its size follows from the residuals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydrascope.simulation.calibration.features import Layout
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


class LeftOut(NamedTuple):
    """The standard deviation of what the model leaves out, of each number [F]."""

    shared: Values
    """The same in all windows."""
    between: Values
    """Different from window to window, such as a temperature that is not steady."""


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
    least: Values
    """[F], the least of it."""
    own: Values
    """[F], the variance from window to window that scatter and noise explain."""

    def covariance(self, known: NDArray[np.bool_]) -> Values:
        """Return the covariance of the numbers that are known [W, F], in order."""
        windows, size = known.shape
        whole = np.kron(np.eye(windows), self.scatter)
        shared = self.sensors.reshape(len(self.sensors), -1)
        whole += shared.T @ shared
        whole += np.kron(np.ones((windows, windows)), np.diag(self.model**2))
        at = np.flatnonzero(known.reshape(windows * size))
        return whole[np.ix_(at, at)].astype(np.float64)


def estimate_errors(
    model: ForwardModel,
    unknowns: Values,
    left_out: "LeftOut",
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> Errors:
    """Estimate the errors about some unknowns by simulations with scatter.

    Args:
        model: The machine.
        unknowns: About which it scatters.
        left_out: What the model leaves out; at least `least_error` of it is taken.
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
    scatter = _scatter(model, drawn) + np.diag(least_error(model) ** 2)
    return Errors(
        bias=bias,
        scatter=scatter + np.diag(left_out.between**2),
        sensors=_of_sensors(model, expected + bias),
        model=np.maximum(left_out.shared, least_error(model)),
        least=least_error(model),
        own=np.diag(scatter),
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


def distance(layout: Layout, off: Values) -> LeftOut:
    """Return how far numbers are off: root mean squares over all levels of a sensor.

    Args:
        layout: The numbers.
        off: [W, F], NaN where unknown.
    """
    mean = np.nanmean(off, axis=0)
    shared, between = (_of_groups(layout, each**2) for each in (off, off - mean))
    return LeftOut(np.sqrt(shared), np.sqrt(between))


def _of_groups(layout: Layout, squares: Values) -> Values:
    """Return the mean of the known squares [W, F] in each group, for each number [F]."""
    found = np.zeros(layout.size)
    for group in layout.groups():
        known = squares[:, group][np.isfinite(squares[:, group])]
        found[group] = known.mean() if len(known) else 0.0
    return found


def left_out(model: ForwardModel, errors: Errors, off: Values) -> LeftOut:
    """Return how much the model leaves out, by what is left after a fit.

    What it leaves out of all windows is the part of the mean residual that neither scatter nor the
    sensor explains. It is one value for the levels of a sensor and one for its speed of change, the
    median of their sizes. A number that is much further off has its own, so that a part of a cycle
    that the model cannot have does not take the weight from all others.

    Args:
        model: The machine.
        errors: The errors that the fit took.
        off: [W, F], what was recorded less what the fit expects; NaN where unknown.
    """
    layout = model.layout
    count = np.maximum(np.isfinite(off).sum(axis=0), 1)
    mean = np.nansum(off, axis=0) / count
    own = errors.own
    explained = own / count + (errors.sensors.mean(axis=1) ** 2).sum(axis=0)
    rest = np.sqrt(np.maximum(0.0, mean**2 - explained))
    shared = np.zeros(layout.size)
    for group in layout.groups():
        usual = _MEDIAN * np.median(rest[group])
        shared[group] = np.where(rest[group] > _OUTLIER * usual, rest[group], usual)
    free = np.maximum(1.0 - 1.0 / count, 1e-9)  # what a mean leaves of a variance
    between = _of_groups(layout, (off - mean) ** 2 / free) - _of_groups(layout, own[None])
    return LeftOut(shared, np.sqrt(np.maximum(0.0, between)) * (count > 1))
