"""Alarms of the windows that a visit diagnosed, with the sensors that drove them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from hydrascope.models.alarm_test import AlarmTest
from hydrascope.monitoring.alarm import AlarmDriver
from hydrascope.monitoring.alarms import AlarmRepository
from hydrascope.monitoring.engine import Change, Transition, judge
from hydrascope.monitoring.joined_scores import of_single_windows
from hydrascope.monitoring.meaning import evidence_of
from hydrascope.monitoring.observation import Observation
from hydrascope.monitoring.rules import Rule, RuleFile
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.diagnosis.observations import observations_of
from hydrascope.serving.windows import TelemetryWindow
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.watch.model import WatchModel

_SHOWN = 5
"""The sensors that an alarm names, at most."""


class ObservedWindow(NamedTuple):
    """A window and the numbers of its diagnosis."""

    window: TelemetryWindow
    observations: Sequence[Observation]
    """As `for_rules` returns them."""
    blamed: str | None = None
    """The component that is to blame for the machine's distance from normal; None: none is."""


class Judged(NamedTuple):
    """What rules made of some windows."""

    state: dict[str, Any]
    """What the rules remember for the next window."""
    transitions: list[Transition]


class AlarmJudge:
    """Judges windows by rules.

    Args:
        rules: The rules.
        model: Answered the windows.
        repository: Takes the alarms.
    """

    def __init__(self, rules: RuleFile, model: WatchModel, repository: AlarmRepository) -> None:
        width = model.manifest.alarm_width
        self._test = None if width is None else AlarmTest(width)
        judged = rules.rules if width is None else of_single_windows(rules.rules)
        self._rules = {rule.name: rule for rule in judged}
        self._model, self._repository = model, repository

    async def judge(self, state: Mapping[str, Any], windows: Sequence[ObservedWindow]) -> Judged:
        """Judge windows of one machine in the order of time.

        Args:
            state: What the rules remember of the windows before.
            windows: Diagnosed windows.
        """
        rules, found = tuple(self._rules.values()), dict(state)
        evidence = evidence_of(self._model.manifest.task.heads)
        transitions: list[Transition] = []
        for each in windows:
            span = self._model.span(each.window)
            found, changes = judge(rules, found, span, each.observations, evidence, self._test)
            for change in changes:
                if change.change is Change.RAISED:
                    drivers = await self._drivers(each, change)
                    change = change._replace(drivers=drivers)
                transitions.append(change)
        return Judged(found, transitions)

    async def write(self, connection: Connection, key: int, judged: Judged) -> None:
        """Write the alarms of a machine, in the caller's transaction."""
        version, heads = self._model.version, self._model.manifest.task.heads
        await self._repository.apply(connection, key, judged.transitions, version, heads)

    async def _drivers(
        self, observed: ObservedWindow, raised: Transition
    ) -> tuple[AlarmDriver, ...]:
        """Return the sensors without which the number would be less remarkable, the first most.

        A sensor's part is by how much the number moves towards normal if the sensor is left out of
        the window (occlusion; Zeiler and Fergus, 2014). Sensors whose readings others imply share
        it. The number of a component that is to blame is the machine's.
        """
        rule, window = self._rules[raised.rule], observed.window
        if rule.measure == "normality" and raised.component_id == observed.blamed:
            raised = raised._replace(component_id="")
        asked = _number(rule, raised, observed.observations)
        names = list(window.signals)
        if asked is None or len(names) < 2:
            return ()
        without = [
            replace(
                window, signals={key: each for key, each in window.signals.items() if key != name}
            )
            for name in names
        ]
        answers = await self._model.answer(without)
        manifest, version = self._model.manifest, self._model.version
        parts = []
        for each, answer in zip(without, answers, strict=True):
            diagnosis = build_diagnosis(each, answer, manifest, version, least_right=0.0)
            left = _number(rule, raised, observations_of(diagnosis, manifest.task.heads))
            parts.append(
                0.0 if left is None else (left - asked if rule.below is not None else asked - left)
            )
        towards = np.maximum(parts, 0.0)
        if not towards.sum() > 0:
            return ()
        shares = towards / towards.sum()
        order = np.argsort(-shares, kind="stable")[:_SHOWN]
        return tuple(AlarmDriver(names[i], float(shares[i])) for i in order if shares[i] > 0)


def _number(rule: Rule, raised: Transition, observations: Sequence[Observation]) -> float | None:
    """Return the number that an alarm is about; None where it is not known."""
    place = raised.component_id, raised.head, raised.finding
    for each in observations:
        if (each.component_id, each.head, each.finding) == place and rule.reads(each):
            return float(each.value) if np.isfinite(each.value) else None
    return None
