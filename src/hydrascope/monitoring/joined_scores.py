"""Scores of normality that are joined over windows before rules judge them."""

from collections.abc import Iterable, Sequence

import numpy as np

from hydrascope.models.alarm_test import AlarmTest
from hydrascope.monitoring.observation import Observation
from hydrascope.monitoring.rules import Rule


def joined(
    test: AlarmTest, total: float, observations: Iterable[Observation]
) -> tuple[float, list[Observation]]:
    """Put the sum of the alarm test in place of the machine's score.

    Scores of components and sensors are left out: false alarms are counted for machines, whose
    alarm names the sensors that drove it.

    Args:
        test: Of the machine's scores.
        total: The sum after the window before.
        observations: The numbers of a window.

    Returns:
        The sum after this window, and the numbers that rules judge. A window without a score leaves
        the sum as it is, and has no reliable one.
    """
    kept = []
    for each in observations:
        if each.measure != "normality":
            kept.append(each)
        elif not each.component_id and not each.finding:
            if each.reliable:
                total = float(test.step(np.asarray(total), np.asarray(each.value)))
            kept.append(each._replace(value=total))
    return total, kept


def of_single_windows(rules: Sequence[Rule]) -> list[Rule]:
    """Return rules of which those for normality are shown by one window.

    The sum of the alarm test has seen many. To count windows once more would only delay the alarm.
    """
    return [
        rule.model_copy(update={"windows": 1, "of": 1}) if rule.measure == "normality" else rule
        for rule in rules
    ]
