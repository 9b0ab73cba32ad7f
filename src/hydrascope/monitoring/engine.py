"""From the numbers of window after window to alarms that begin, last and end.

The engine computes on plain values: the same windows in the same order give the same alarms,
whoever asks and however often the work was interrupted.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel

from hydrascope.models.alarm_test import AlarmTest
from hydrascope.monitoring.alarm import AlarmDriver
from hydrascope.monitoring.joined_scores import joined
from hydrascope.monitoring.observation import Observation
from hydrascope.monitoring.rules import Rule, Severity
from hydrascope.schemas.time import TimeWindow

_SEPARATOR = "|"
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Change(StrEnum):
    """What a window does to an alarm."""

    RAISED = "raised"
    LASTS = "lasts"
    OVER = "over"


class Transition(NamedTuple):
    """A change of one alarm by one window.

    Attributes:
        change: What happens.
        rule: The name of the rule.
        severity: The rule's severity.
        component_id: The component; empty for the machine.
        head: The head that found it.
        finding: The class or label; empty for a head without them.
        window: The window that changes it.
        since: ISO time: the start of the first window that counted for the alarm.
        windows: How many windows showed it so far.
        peak: The number that is farthest beyond the threshold so far.
        drivers: The sensors that contributed most come first; empty: unknown.
    """

    change: Change
    rule: str
    severity: Severity
    component_id: str
    head: str
    finding: str
    window: TimeWindow
    since: str
    windows: int
    peak: float
    drivers: tuple[AlarmDriver, ...] = ()


class Memory(BaseModel, extra="forbid"):
    """What a rule remembers of one finding.

    Attributes:
        shown: The starts of the windows among the last ones that showed it, as (number of the
            window, ISO time, value).
        blind: The numbers of the windows among the last ones without a reliable answer.
        since: ISO time of the first window that counted for the alarm; None: there is none.
        windows: How many windows showed it since.
        peak: The number farthest beyond the threshold since.
        clear: How many windows in a row were beyond `over`.
        held: For how many windows its alarm has been held back, because one of a component may
            stand for it; 0: it is not.
    """

    shown: list[tuple[int, str, float]] = []
    blind: list[int] = []
    since: str | None = None
    windows: int = 0
    peak: float = 0.0
    clear: int = 0
    held: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing needs to be remembered."""
        return not self.shown and not self.blind and self.since is None


class Remembered(BaseModel, extra="forbid"):
    """What all rules remember of a machine, between its windows.

    Attributes:
        count: The windows so far.
        findings: By rule, component, head and finding, joined by `|`.
        total: The sum of the alarm test of the machine's normality.
    """

    count: int = 0
    findings: dict[str, Memory] = {}
    total: float = 0.0


def judge(
    rules: Sequence[Rule],
    state: Mapping[str, Any],
    window: TimeWindow,
    observations: Iterable[Observation],
    evidence: Mapping[str, str] = _NOTHING,
    test: AlarmTest | None = None,
) -> tuple[dict[str, Any], list[Transition]]:
    """Judge one window of a machine.

    A fault of a component shows in the machine's own answers too, a little earlier or later. So a
    finding of the machine is held back while the same finding of a component has an alarm, and
    waits for one for `Rule.fold` windows.

    Args:
        rules: That apply.
        state: As the window before left it, a JSON object; empty before the first window.
        window: Later than the window before.
        observations: The numbers of the window.
        evidence: The machine's heads whose findings may be folded, as `meaning.evidence_of` returns
            them; by default none.
        test: Joins the machine's scores of normality before rules judge them; None: rules judge the
            scores of windows.

    Returns:
        The state for the next window, and the changes of alarms in the order of the rules.
    """
    remembered = Remembered.model_validate(state)
    number, memories, total = remembered.count, remembered.findings, remembered.total
    if test is not None:
        total, observations = joined(test, total, observations)
    transitions: list[Transition] = []
    # Those of components come first: what they raise stands for the machine's.
    given = sorted(observations, key=lambda each: not each.component_id)
    for rule in rules:
        of_components: dict[tuple[str, str], list[Memory]] = {}
        for observation in filter(rule.reads, given):
            names = rule.name, observation.component_id, observation.head, observation.finding
            key = _SEPARATOR.join(names)
            memory = memories.setdefault(key, Memory())
            change = _update(rule, memory, number, window, observation)
            told = change
            if observation.component_id:
                same = of_components.setdefault((observation.head, observation.finding), [])
                same.append(memory)
            elif observation.head in evidence:
                same = of_components.get((evidence[observation.head], observation.finding), [])
                told = _folded(rule, memory, change, same)
            if told is not None:
                transitions.append(_transition(told, rule, memory, window, observation))
            if change is Change.OVER:
                memories[key] = Memory(blind=memory.blind)
    kept = {key: memory for key, memory in memories.items() if not memory.empty}
    after = Remembered(count=number + 1, findings=kept, total=total)
    return after.model_dump(mode="json", exclude_defaults=True), transitions


def forget(
    state: Mapping[str, Any], rule: str, component_id: str, head: str, finding: str
) -> dict[str, Any]:
    """Return a state without what a rule remembers of one finding."""
    remembered = Remembered.model_validate(state)
    remembered.findings.pop(_SEPARATOR.join((rule, component_id, head, finding)), None)
    return remembered.model_dump(mode="json", exclude_defaults=True)


def _update(
    rule: Rule, memory: Memory, number: int, window: TimeWindow, observation: Observation
) -> Change | None:
    """Take one number into the memory; return what it does to the alarm."""
    oldest = number - rule.of + 1
    memory.shown = [each for each in memory.shown if each[0] >= oldest]
    memory.blind = [each for each in memory.blind if each >= oldest]
    if not observation.reliable:
        memory.blind.append(number)
        return None
    shows = rule.shows(observation)
    if shows:
        memory.shown.append((number, window.start.isoformat(), observation.value))
    if memory.since is not None:
        return _lasting(rule, memory, observation, shows=shows)
    seen = min(rule.of, number + 1) - len(memory.blind)
    if len(memory.shown) < rule.windows or seen < rule.coverage * rule.of:
        return None
    memory.since, memory.windows = memory.shown[0][1], len(memory.shown)
    values = [value for _, _, value in memory.shown]
    memory.peak = min(values) if rule.below is not None else max(values)
    return Change.RAISED


def _lasting(rule: Rule, memory: Memory, observation: Observation, *, shows: bool) -> Change | None:
    memory.clear = memory.clear + 1 if rule.clears(observation) else 0
    if memory.clear >= rule.over_after:
        return Change.OVER
    if not shows:
        return None
    farther = min if rule.below is not None else max
    memory.windows += 1
    memory.peak = farther(memory.peak, observation.value)
    return Change.LASTS


def _folded(
    rule: Rule, memory: Memory, change: Change | None, components: Sequence[Memory]
) -> Change | None:
    """Return what is told of a machine's finding, beside what is told of its components.

    Args:
        rule: That both follow.
        memory: Of the machine's finding.
        change: What the window does to it.
        components: Memories of the same finding of components, as the window has left them.
    """
    if change is Change.RAISED and components and rule.fold:
        memory.held = 1
        return None
    if not memory.held:
        return change
    if any(each.since is not None for each in components):
        memory.held = 1
        return None
    memory.held += 1
    if change is Change.LASTS and memory.held > rule.fold:
        memory.held = 0
        return Change.RAISED
    return None


def _transition(
    change: Change, rule: Rule, memory: Memory, window: TimeWindow, observation: Observation
) -> Transition:
    assert memory.since is not None
    return Transition(
        change,
        rule.name,
        rule.severity,
        observation.component_id,
        observation.head,
        observation.finding,
        window,
        memory.since,
        memory.windows,
        memory.peak,
    )
