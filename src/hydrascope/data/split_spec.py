"""The settings of a split, and the parts that it makes."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from hydrascope.data.windows import WindowNumbers
from hydrascope.features.config import TestWindows
from hydrascope.schemas.arguments import checked_fields

CONDITION = "condition"
"""The column with the combination of labelled conditions of a window."""
PUBLISHED_FOLD = "unseen_condition_fold"
"""The column with the published folds of a data set's unseen-conditions protocol."""


class Split(NamedTuple):
    """Disjoint sets of rows of the window table, each ascending."""

    train: WindowNumbers
    val: WindowNumbers
    test: WindowNumbers

    @classmethod
    def all_tested(cls, tested: NDArray[np.bool_]) -> "Split":
        """Return the split that tests all rows that are `tested`, and trains on none."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none, np.flatnonzero(tested))

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the rows of all parts."""
        digest = hashlib.sha256()
        for rows in self:
            digest.update(f"{len(rows)} ".encode())
            digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()

    def judged(self, table: pd.DataFrame, test: TestWindows) -> "Split":
        """Return the split with all test windows, or with the last one of each machine alone."""
        if test == "all":
            return self
        rows = table.iloc[self.test]
        last = rows.sort_values("start", kind="stable").groupby("equipment_id", sort=False).tail(1)
        return self._replace(test=np.sort(last.index.to_numpy()))


@checked_fields
@dataclass(frozen=True)
class SplitSpec:
    """Settings of a split.

    Attributes:
        name: One of `SPLITS`.
        folds: Number of folds.
        fold: The fold to test on.
        val_fraction: Share of the other folds used for validation.
        group: Group column of `unseen_conditions`.
        window_s: Length of a window, which is the gap in `time_blocks`.
        val_group: Column of the groups held back for validation, for `unseen_conditions` and
            `by_machine` in place of their own groups. If few groups are left to train on, none has
            to be given up. For `column`, if it names no validation windows.
        share: Share of the data outside the test set to use, for `unseen_conditions` and
            `by_machine`.
        column: Label column with the part of each window, of `column`.
        parts: Machines and times of each part in place of `column`; see `parts_in_lists`.
        test: Whether all test windows are judged, or the last one of each machine.
        interval_group: Column of the units that intervals resample; None: see `interval_units`.
    """

    name: str
    folds: Annotated[int, Field(ge=1)]
    fold: Annotated[int, Field(ge=0)]
    val_fraction: Annotated[float, Field(ge=0, lt=1)]
    group: str = CONDITION
    window_s: float = 0.0
    val_group: str | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    column: str = "split"
    parts: Mapping[str, Sequence[str]] | None = None
    test: TestWindows = "all"
    interval_group: str | None = None

    def of_others(self, table: pd.DataFrame) -> "SplitSpec":
        """Return the settings for data that were not trained on, which may lack the groups."""
        lacking = self.name == "unseen_conditions" and self.group not in table
        return replace(self, name="by_machine") if lacking else self

    def without(self, machines: Collection[str]) -> "SplitSpec":
        """Return the settings without machines, which may be listed but have no window."""
        if self.parts is None or not machines:
            return self
        parts = {
            name: [entry for entry in entries if entry not in machines]
            for name, entries in self.parts.items()
        }
        return replace(self, parts=parts)
