"""Names of what a network says of how far from normal something is."""

MACHINE, COMPONENT, SENSOR = "normality.machine", "normality.component", "normality.sensor"
LEVELS = (MACHINE, COMPONENT, SENSOR)
"""Names of the answers: [G, 1], [N, 1] and [S, 1]."""
