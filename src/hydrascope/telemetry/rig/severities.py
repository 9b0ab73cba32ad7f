"""The grades of the rig's four components as severities: 0 is as new, 1 is the worst grade."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Grades(NamedTuple):
    """The grades of a component, from as new to the worst."""

    sound: float
    worst: float

    def severity(self, grade: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the severities of grades, linear between both ends."""
        severity: NDArray[np.float64] = (grade - self.sound) / (self.worst - self.sound)
        return severity


GRADES: Mapping[str, Grades] = {
    "cooler": Grades(100.0, 3.0),
    "valve": Grades(100.0, 73.0),
    "pump": Grades(0.0, 2.0),
    "accumulator": Grades(130.0, 90.0),
}
"""The grades by label of the data set: % of power, % of control current, leakage, bar."""

REFERENCE = "reference"
"""The label that is 1 in windows that show what a machine is like when it is sound."""


def label_of(component: str) -> str:
    """Return the name of the label that holds a component's severity."""
    return f"{component}_severity"
