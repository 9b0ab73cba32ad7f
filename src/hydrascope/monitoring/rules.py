"""Alarm rules: what must be found in how many windows before anyone is woken."""

import os
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from hydrascope.monitoring.observation import Measure, Observation
from hydrascope.schemas.base import Number, Spec, Text, Texts, Word
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.yaml_file import load_yaml

_DEFAULT = "alarm_rules.yaml"
_LOWEST = "lowest"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Severity(StrEnum):
    """How urgent an alarm is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


Count = Annotated[int, Field(strict=True, ge=1, le=1000)]


class Rule(Spec):
    """A condition on the windows of a machine that raises an alarm.

    A window shows a finding if its number is at least `above` or at most `below`. Without either,
    the model's own verdict counts: a flag that reaches its threshold, or the most probable class if
    it is not healthy, with at least the probability `confidence`. Only reliable answers count.
    """

    name: Word
    severity: Severity = Severity.WARNING
    heads: Texts = ("*",)
    """Names of heads, with `*` and `?` as in file names; `lowest` is the lowest health of all."""
    components: Texts = ("*",)
    """IDs of components; `machine` is the machine itself."""
    findings: Texts = ("*",)
    """Names of classes and labels."""
    measure: Measure | None = None
    """Which numbers the rule reads; all by default."""
    above: Number | None = None
    """A window shows the finding from this number on."""
    below: Number | None = None
    """A window shows the finding up to this number."""
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The least probability with which the model's own verdict counts. Once raised, the alarm lasts
    for as long as the model calls it a fault, with whatever probability."""
    windows: Count = 4
    """How many of the last `of` windows must show the finding."""
    of: Count = 6
    """How many windows are looked at."""
    over: Number | None = None
    """The alarm is over only beyond this number: below it for `above`, above it for `below`. By
    default, as soon as a window no longer shows the finding."""
    over_after: Count = 6
    """How many windows in a row must be beyond `over` before the alarm is over."""
    coverage: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The least share of the last `of` windows with a reliable answer."""
    fold: Annotated[int, Field(strict=True, ge=0, le=1000)] = 6
    """How many windows a finding of the machine waits for the same finding of a component, whose
    alarm then stands for both. Only findings that the task derives from those of components wait.
    0: both have their alarm."""
    notify: tuple[Word, ...] = ()
    """Names of channels; none by default."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.windows > self.of:
            raise ValueError(f"windows: {self.windows} of {self.of}; expected at most `of`")
        if self.above is not None and self.below is not None:
            raise ValueError("above and below are both given; expected one of them")
        if self.measure is None and (self.above is not None or self.below is not None):
            raise ValueError("above and below need a measure")
        if self.measure in ("health", "probability"):
            for name in ("above", "below", "over"):
                number = getattr(self, name)
                if number is not None and not 0 <= number <= 1:
                    raise ValueError(f"{name}: {number:g} of a {self.measure}; expected 0 to 1")
        if self.confidence and (self.above is not None or self.below is not None):
            raise ValueError("confidence is given beside above or below; expected one of them")
        if self.over is None:
            return self
        if self.above is None and self.below is None:
            raise ValueError("over needs above or below")
        if (self.above is not None and self.over > self.above) or (
            self.below is not None and self.over < self.below
        ):
            raise ValueError(f"over: {self.over:g} is on the wrong side of above or below")
        return self

    def reads(self, observation: Observation) -> bool:
        """Return whether the rule is about this number."""
        return (
            self.measure in (None, observation.measure)
            and _matches(self.heads, observation.head or _LOWEST)
            and _matches(self.components, observation.component_id or "machine")
            and _matches(self.findings, observation.finding)
            and (self.above is not None or self.below is not None or observation.shown is not None)
        )

    def shows(self, observation: Observation) -> bool:
        """Return whether a number shows the finding."""
        if self.above is not None:
            return observation.value >= self.above
        if self.below is not None:
            return observation.value <= self.below
        return bool(observation.shown) and observation.value >= self.confidence

    def clears(self, observation: Observation) -> bool:
        """Return whether a number is beyond `over`."""
        if self.above is None and self.below is None:
            return not observation.shown
        if self.over is None:
            return not self.shows(observation)
        if self.above is not None:
            return observation.value < self.over
        return observation.value > self.over


class RuleFile(Spec):
    """Alarm rules, and the channels that they notify."""

    channels: dict[Word, Text] = Field(default_factory=dict)
    """By name: an address as Apprise reads it. `${NAME}` stands for a variable of the environment,
    so that no password needs to be in the file."""
    page: Text | None = None
    """Address of the page, as in https://hydrascope.example.com, for links in messages."""
    notify_within_h: Annotated[float, Field(gt=0)] = 24.0
    """Nobody is notified of alarms that are older, as when a backlog is diagnosed."""
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @field_validator("rules")
    @classmethod
    def _known(cls, rules: tuple[Rule, ...], info: ValidationInfo) -> tuple[Rule, ...]:
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {twice[0]!r} occurs twice")
        channels = info.data.get("channels", {})
        for rule in rules:
            for channel in rule.notify:
                if channel not in channels:
                    known = ", ".join(channels) or "none"
                    raise ValueError(f"{rule.name}: no channel {channel!r}; there is: {known}")
        return rules

    def unread(self, heads: Iterable[str]) -> Iterator[str]:
        """Yield a line for each pattern of a rule that matches none of a model's heads."""
        known = (*heads, _LOWEST)
        for rule in self.rules:
            for pattern in rule.heads:
                if not any(_matches((pattern,), head) for head in known):
                    yield (
                        f"rule {rule.name}: heads: {pattern!r} matches no head of the model; "
                        f"it has: {', '.join(known)}"
                    )


def read_rules(path: Path | None) -> RuleFile:
    """Read a file of rules; None: the rules that Hydrascope brings, which notify nobody.

    Raises:
        SpecError: The file is missing or not valid, or a variable of the environment is not set.
    """
    if path is None:
        with resources.as_file(resources.files("hydrascope.monitoring") / _DEFAULT) as default:
            return validate(RuleFile, load_yaml(default), source=_DEFAULT)
    rules = validate(RuleFile, load_yaml(path), source=str(path))
    channels = {name: _filled(url, name, str(path)) for name, url in rules.channels.items()}
    return rules.model_copy(update={"channels": channels})


def _filled(address: str, channel: str, source: str) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in os.environ:
            raise SpecError(
                f"the variable {name} is not set in the environment",
                path=f"channels.{channel}",
                source=source,
            )
        return os.environ[name]

    return _VARIABLE.sub(value, address)


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
