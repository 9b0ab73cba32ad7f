"""Numbers over time, as charts draw them."""

from datetime import datetime
from typing import NamedTuple


class Point(NamedTuple):
    """A number over some windows."""

    start: datetime
    windows: int
    mean: float
    lowest: float
    highest: float


class Series(NamedTuple):
    """A line of a chart."""

    component_id: str
    head: str
    label: str
    measure: str
    unit: str
    points: list[Point]
