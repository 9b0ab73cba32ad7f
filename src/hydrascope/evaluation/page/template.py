"""The templates of pages for readers, and what all of them need."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from hydrascope import __version__
from hydrascope.evaluation.page.numbers import format_metric, format_range, shown_name
from hydrascope.evaluation.verdict.sentence import words

_TEMPLATES = Path(__file__).parents[2] / "assets" / "report"


def built(name: str) -> Markup:
    """Return a file that `make page` builds of the report: its styles, or its script."""
    return Markup((_TEMPLATES / "built" / name).read_text("utf-8"))


def rendered(template: str, **content: object) -> str:
    """Return a page from a template and its content, with the styles."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "metric": format_metric,
        "range": format_range,
        "shown": shown_name,
        "words": words,
    }
    page = environment.get_template(template)
    return page.render(version=__version__, style=built("report.css"), **content)
