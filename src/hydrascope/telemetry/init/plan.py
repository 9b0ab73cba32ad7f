"""What to learn from a folder of telemetry, and from which windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.learn import Learn
from hydrascope.telemetry.init.headers import ANOMALIES
from hydrascope.telemetry.init.labels import REMAINING_LIFE, Label
from hydrascope.telemetry.init.surveyed import Survey

_MOST_SAMPLES, _FEWEST_SAMPLES = 60, 10
_MOST_NORMAL_SAMPLES = 30
"""Fewer for normality: alarms come sooner, and more windows set their threshold."""
_WINDOWS = 10
"""The number of windows that three quarters of the machines have at least."""
_LIFE_WINDOWS, _LIFE_STRIDE = 4, 3
"""The same for remaining life, and the number of windows that share each sample."""
_FIT_SHARE = 0.4
"""The share of each machine's windows that normality learns from if labels judge it."""
_FEWEST_MACHINES = 5
"""The fewest machines that allow to train on some and to judge on others."""


@dataclass(frozen=True)
class Plan:
    """What the files say."""

    name: str
    """The name of the task and of the experiment."""
    found: Survey
    labels: Mapping[str, Label]
    learn: Learn

    @property
    def heads(self) -> list[Label]:
        """The labels to learn."""
        if self.learn is Learn.REMAINING_LIFE:
            return [self.labels[REMAINING_LIFE]]
        every = self.labels.values() if self.learn is Learn.LABELS else ()
        learnable = [label for label in every if label.learnable]
        return [label for label in learnable if label.column is None] or learnable

    @property
    def offered(self) -> list[Label]:
        """The columns of texts that may be labels, and are not learned."""
        learned = {label.name for label in self.heads}
        every = (label for label in self.labels.values() if label.column is not None)
        return [label for label in every if label.name not in learned]

    @property
    def unused(self) -> list[str]:
        """Why labels are not learned, and what becomes of a split, one line each."""
        if self.learn is Learn.REMAINING_LIFE:
            return []
        known = [each for each in self.labels.values() if each.column is None]
        lines = [
            f"{label.name} is not learned: {label.why_not}" for label in known if label.why_not
        ]
        if self.split and self.learn is Learn.NORMALITY:
            lines.append(
                f"{self.split.name} is not used, since what is normal is learned; to split by it, "
                "set data.split.name=column"
            )
        return lines

    @property
    def contents(self) -> str:
        """What is learned, from which windows, in one line."""
        unit = "counts" if self.found.counter else "s"
        about = ", ".join(label.name for label in self.heads) or "what is normal"
        machines, sensors = len(self.found.machines), len(self.found.sensors)
        return (
            f"{machines} machine{'s' * (machines > 1)}, {sensors} sensors; to learn: {about}, in "
            f"windows of {self.window_s:g} {unit} every {self.stride_s:g} {unit}"
        )

    @property
    def truth(self) -> dict[str, float]:
        """The labels that judge normality, with their healthy value."""
        known = {name: each for name, each in self.labels.items() if each.column is None}
        classes = {name: each for name, each in known.items() if not each.is_split}
        judging = {name: each for name, each in classes.items() if name in ANOMALIES} or classes
        return {
            name: each.values[0] for name, each in judging.items() if each.values and not each.many
        }

    @property
    def split(self) -> Label | None:
        """The label that says in which part each window is."""
        return next((each for each in self.labels.values() if each.is_split), None)

    @property
    def by_machine(self) -> bool:
        """Whether to train on some machines and to judge on others."""
        return bool(self.heads) and len(self.found.machines) >= _FEWEST_MACHINES

    @cached_property
    def samples(self) -> int:
        """The length of a window in samples of the slowest sensor."""
        durations_s = [each.duration_s for each in self.found.machines.values()]
        windows = _LIFE_WINDOWS if self.learn is Learn.REMAINING_LIFE else _WINDOWS
        fitting = int(float(np.quantile(durations_s, 0.25)) / self.found.period_s / windows)
        most = _MOST_NORMAL_SAMPLES if self.learn is Learn.NORMALITY else _MOST_SAMPLES
        return min(max(fitting, _FEWEST_SAMPLES), most) // 10 * 10

    @property
    def window_s(self) -> float:
        """The length of a window."""
        return self.samples * self.found.period_s

    @property
    def stride_s(self) -> float:
        """The time from the start of a window to the start of the next."""
        shared = _LIFE_STRIDE if self.learn is Learn.REMAINING_LIFE else 1
        return max(self.samples // shared, 1) * self.found.period_s

    @property
    def short(self) -> list[str]:
        """The machines that are recorded for less than a window."""
        machines = self.found.machines.items()
        return sorted(name for name, each in machines if each.duration_s < self.window_s)

    @property
    def first_windows(self) -> int:
        """The number of windows of each machine that normality learns from."""
        shortest_s = min(each.duration_s for each in self.found.machines.values())
        return max(int(_FIT_SHARE * shortest_s / self.stride_s), 1)


def plan_of(name: str, found: Survey, labels: Mapping[str, Label], learn: Learn | None) -> Plan:
    """Return the plan.

    Args:
        name: The name of the task.
        found: What the folder contains.
        labels: Its labels, with the remaining life if that is learned.
        learn: What to learn; None: guessed from the labels.

    Raises:
        SpecError: No label can be learned, although labels are asked for.
    """
    learnable = [each.name for each in labels.values() if each.learnable]
    if learn is None:
        named = {name for name in learnable if labels[name].column is None}
        learn = Learn.NORMALITY if named <= set(ANOMALIES) else Learn.LABELS
    if learn is Learn.LABELS and not learnable:
        reasons = [f"{name}: {each.why_not}" for name, each in labels.items() if each.why_not]
        known = "; ".join(reasons) or ", ".join(labels) or "none"
        raise SpecError(
            f"--learn labels: no label has enough examples of each class; the labels are: {known}; "
            f"accepted: {Learn.NORMALITY}, {Learn.REMAINING_LIFE}"
        )
    return Plan(name, found, labels, learn)
