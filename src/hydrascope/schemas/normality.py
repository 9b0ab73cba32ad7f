"""Names of a network's normality scores."""

MACHINE, COMPONENT, SENSOR = "normality.machine", "normality.component", "normality.sensor"
LEVELS = (MACHINE, COMPONENT, SENSOR)
"""The names of the scores, with shapes [G, 1], [N, 1] and [S, 1]."""
