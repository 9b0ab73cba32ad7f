"""Values of labels: one spelling of each text, numbers for texts, parts of a split."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hydrascope.schemas.parts import PARTS

_HEALTHY = (
    *("normal", "ok", "healthy", "good", "no", "none", "false", "sound", "nominal"),
    *("no fault", "no_fault", "fault-free", "faultfree", "gut", "in ordnung", "i.o.", "io"),
)
_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


class Numbered(NamedTuple):
    """The values of a label as numbers."""

    values: pd.Series
    names: Mapping[float, str]
    """What they stand for; empty if they were numbers."""
    healthy: float | None
    """The value that stands for a text such as `normal`."""


def one_spelling(values: pd.Series) -> tuple[pd.Series, list[str]]:
    """Return texts that differ only in case or outer blanks as one, the most frequent of them.

    Empty texts become missing. The list says which texts became one.
    """
    if pd.api.types.is_numeric_dtype(values):
        return values, []
    texts = values.astype(object).where(values.notna(), None)
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, times in texts.dropna().astype(str).value_counts().items():
        spellings[str(text).strip().casefold()][str(text)] += int(times)
    chosen: dict[str, str | None] = {}
    merged = []
    for key, found in spellings.items():
        best = max(found, key=lambda text: (found[text], text)).strip() if key else None
        chosen |= dict.fromkeys(found, best)
        if key and len(found) > 1:
            merged.append(f"{', '.join(map(repr, sorted(found)))} are one value, {best!r}")
    return texts.map(lambda text: None if text is None else chosen[str(text)]), merged


def parts_of(values: pd.Series) -> tuple[pd.Series, str | None]:
    """Return the parts of a split that values name, and the first value that names none."""
    texts = values.astype(str).str.strip().str.lower()
    parts = texts.map(_PARTS)
    strange = values[parts.isna()]
    return parts, f"{strange.iloc[0]}" if len(strange) else None


def numbered(values: pd.Series) -> Numbered:
    """Replace texts by numbers, what sounds healthy by 0."""
    if pd.api.types.is_bool_dtype(values):
        return Numbered(values.astype(int), {}, None)
    if pd.api.types.is_numeric_dtype(values):
        return Numbered(values, {}, None)
    texts = sorted(
        map(str, values.dropna().unique()), key=lambda text: (text.lower() not in _HEALTHY, text)
    )
    codes = {text: code for code, text in enumerate(texts)}
    healthy = 0.0 if texts and texts[0].lower() in _HEALTHY else None
    names = {float(code): text for text, code in codes.items()}
    return Numbered(values.map(lambda each: codes.get(str(each), np.nan)), names, healthy)


ACCEPTED_PARTS = f"{', '.join(PARTS)} (or {', '.join(sorted(set(_PARTS) - set(PARTS)))})"
"""The values of a column that is a split, in words."""
