"""Names of what a diagnoser says about the fitness of its input, beside its answers."""

from enum import IntEnum

PREFIX = "fitness."
STATE = PREFIX + "state"
"""[S, 1]; a `SensorState`."""
READ = PREFIX + "read"
"""[S, 1]; the mean of a doubtful sensor in the window, in its unit; NaN of other sensors."""
EXPECTED = PREFIX + "expected"
"""[S, 1]; the mean that the machine's other sensors suggest for a doubtful one; NaN of others."""
UNLIKE = PREFIX + "unlike"
"""[G, 1]; 1 if the window as a whole is unlike the training data, else 0."""
TYPICALITY = PREFIX + "typicality"
"""[G, 1]; a conformal p-value: the share of held-out training windows whose sensors contradict each
other at least as much. NaN for a build that training did not show."""
PHASE = PREFIX + "phase"
"""[G, 1]; where in the load cycle an unlike window seems to start, as a share of the window; NaN if
no shift explains it."""
OF_SENSORS = (STATE, READ, EXPECTED)
OF_GRAPHS = (UNLIKE, TYPICALITY, PHASE)


def right(head: str) -> str:
    """Return the name of the probability that a head's answers are right, [rows, 1]."""
    return f"{PREFIX}right.{head}"


def basis(head: str) -> str:
    """Return the name of the share of a head's usual basis that was there, [rows, 1]."""
    return f"{PREFIX}basis.{head}"


class SensorState(IntEnum):
    """What is known about a sensor in a window."""

    SOUND = 0
    """Nothing speaks against it."""
    MISSING = 1
    """It was not observed."""
    STUCK = 2
    """It does not change within the window, although it always did in the training data."""
    DOUBTFUL = 3
    """It contradicts the machine's other sensors."""
