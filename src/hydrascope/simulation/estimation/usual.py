"""What is known of the usual values that `parameters.QUANTITIES` takes where none is given."""

from collections.abc import Mapping
from typing import NamedTuple


class Usual(NamedTuple):
    """How far a usual value may be off, and whence it is."""

    spread: float
    """The standard deviation of its logarithm."""
    source: str


USUAL: Mapping[str, Usual] = {
    "volumetric_efficiency": Usual(0.03, "data sheets of axial piston pumps"),
    "friction_bar": Usual(0.5, "usual value"),
    "friction_share": Usual(0.5, "usual value"),
    "drop_bar": Usual(0.3, "data sheets of valves, filters and coolers"),
    "response_s": Usual(0.5, "data sheets of proportional valves"),
    "leakage_ml_min": Usual(1.0, "data sheets of spool valves and seals"),
    "override_bar": Usual(0.5, "data sheets of relief valves"),
    "bypass_bar": Usual(0.2, "data sheets of return filters"),
    "polytropic_exponent": Usual(0.1, "textbook: between 1.0 (slow) and 1.4 (fast)"),
    "thermostat_c": Usual(0.15, "usual value"),
    "efficiency": Usual(0.05, "IEC 60034-30-1, motors of some kW"),
    "gain": Usual(0.5, "usual value of a position controller"),
}
"""By the name of the nominal value. Others stand for a choice, such as `count` or `water`."""
