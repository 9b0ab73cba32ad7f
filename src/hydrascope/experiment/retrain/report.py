"""The result of a retraining: as JSON, and in words."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from hydrascope.data.windows import EQUIPMENT
from hydrascope.evaluation.bootstrap import FEW_UNITS
from hydrascope.experiment.retrain.champion import Champion
from hydrascope.experiment.retrain.judge import Judged, JudgedHead

Outcome = Literal["moved", "stays", "nothing new"]


class Report(NamedTuple):
    """The result of a retraining."""

    model: str
    """models:/NAME@ALIAS."""
    champion: Champion
    margin: float
    judged: Judged | None
    """None: the data have not changed, so nothing was trained."""
    version: int | None
    """The challenger's in the registry, if the alias has moved to it."""

    @property
    def outcome(self) -> Outcome:
        """What happened to the alias."""
        if self.judged is None:
            return "nothing new"
        return "stays" if self.version is None else "moved"

    def record(self) -> dict[str, Any]:
        """Return the content of the report's file."""
        found: dict[str, Any] = {
            "model": self.model,
            "outcome": self.outcome,
            "champion": self.champion.version,
            "challenger": self.version,
            "margin": self.margin,
            "reason": reason(self),
        }
        if self.judged is not None:
            judged = self.judged
            table = judged.data.table.iloc[judged.windows]
            found["held_out"] = {
                "windows": len(table),
                "of_test_windows": len(judged.data.split.test),
                "machines": int(table[EQUIPMENT].nunique()),
                "from": table["start"].min().isoformat(),
                "to": table["start"].max().isoformat(),
                "split": judged.data.split_spec.name,
            }
            found["resampled"] = judged.bootstrap.record()
            heads = [each._asdict() for each in judged.heads]
            found["heads"] = {each.pop("head"): each for each in heads}
        return found

    def lines(self) -> Iterator[str]:
        """Yield the report in words."""
        if self.judged is not None:
            units = self.judged.bootstrap
            few = ", few: rough guesses" if len(units.among) < FEW_UNITS else ""
            yield (
                f"Judged on {len(self.judged.windows)} windows from which neither has learned; "
                f"95 % intervals by resampling {len(units.among)} {units.unit}{few}"
            )
            for each in self.judged.heads:
                yield f"  {each.head}: {_words(each)}"
        yield f"{self.model}: {reason(self)}"


def reason(report: Report) -> str:
    """Return in one sentence why the alias has moved, or stays."""
    version = report.champion.version
    if report.judged is None:
        return f"stays at version {version}: its data have not changed"
    against = [each for each in report.judged.heads if each.finding != "not worse"]
    if not against:
        shown = ", ".join(f"{each.head} {_signed(each)}" for each in report.judged.heads)
        return (
            f"moved from version {version} to {report.version}: not worse by more than "
            f"{report.margin:g} on {len(report.judged.windows)} held-out windows ({shown})"
        )
    findings = ", ".join(f"{each.head} {each.finding}" for each in against)
    return f"stays at version {version}: {findings}, with a margin of {report.margin:g}"


def _words(head: JudgedHead) -> str:
    if head.difference is None or head.champion is None or head.challenger is None:
        return f"{head.finding}, there are too few labels in these windows"
    low, high = head.interval or (float("nan"), float("nan"))
    return (
        f"{head.metric} {head.champion:.4f} → {head.challenger:.4f}, "
        f"{_signed(head)} [{low:+.4f}, {high:+.4f}]: {head.finding}"
    )


def _signed(head: JudgedHead) -> str:
    return "?" if head.difference is None else f"{head.difference:+.4f}"
