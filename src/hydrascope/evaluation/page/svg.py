"""Matplotlib figures as inline SVG in the page's colours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure

_INK = "#010203"
"""The placeholder for the page's text colour, so that figures follow dark and light mode."""
_COLOURS = (
    "#3b82c4",
    "#d97706",
    "#2e9e5b",
    "#b0489b",
    "#7c6ee0",
    "#c0392b",
    "#0f8f8f",
    "#8d6e4c",
    "#9aa01c",
)
"""The colours of lines; they can be distinguished on white and on black."""


@contextmanager
def page_style() -> Iterator[None]:
    """Draw figures in the page's style."""
    with matplotlib.rc_context(
        {
            "svg.fonttype": "none",  # text stays text
            "font.size": 9,
            "axes.prop_cycle": cycler(color=_COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.facecolor": "none",
            "figure.facecolor": "none",
            "savefig.facecolor": "none",
            "legend.frameon": False,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "axes.edgecolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
        }
    ):
        yield


def inline_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element for the page.

    Args:
        figure: A figure made within `page_style`.
        name: A name that is unique on the page; the ids inside the SVG are derived from it.
    """
    text = StringIO()
    with page_style(), matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches="tight")
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    return svg.replace(_INK, "currentColor")
