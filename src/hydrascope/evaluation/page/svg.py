"""Matplotlib figures as inline SVG in the page's colours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

_INK, FAINT = "#010203", "#010204"
"""Stand for the page's colours of text and of faint lines, so that figures follow dark mode."""
_SERIES = tuple(f"#0102{number:02x}" for number in range(16, 22))
"""Stand for its colours of lines, which are told apart by all kinds of vision."""
_VARIABLES = {_INK: "var(--ink)", FAINT: "var(--edge)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES)
}
_MARGIN = 0.1
"""Around what a figure shows, in inches."""
_FONT = re.compile(r"(font: [^']*?)'[^;\"]*")


@contextmanager
def page_style() -> Iterator[None]:
    """Draw figures in the page's style."""
    with matplotlib.rc_context(
        {
            "svg.fonttype": "none",  # text stays text
            "font.size": 9,
            "axes.prop_cycle": cycler(linestyle=["-", "--"]) * cycler(color=_SERIES),
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


def shown_part(figure: Figure) -> Bbox:
    """Return the part of a figure to save, in inches: what it shows, and a margin.

    Saved so, a figure is drawn once. `bbox_inches="tight"` draws it twice, and a layout engine
    measures every text several times.

    Args:
        figure: A figure without a layout engine, which would still move what was measured.
    """
    return figure.get_tightbbox().padded(_MARGIN)


def inline_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element for the page.

    Args:
        figure: A figure made within `page_style`, without a layout engine.
        name: A name that is unique on the page; the ids inside the SVG are derived from it.
    """
    text = StringIO()
    with page_style(), matplotlib.rc_context({"svg.hashsalt": name}):
        box = shown_part(figure)
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches=box)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = _FONT.sub(r"\1system-ui, sans-serif", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg
