"""What an alarm's finding means as a label: its column, the value of a fault and of what is sound.

The task of the model that raised the alarm tells it. It is kept with the alarm, so that a verdict
needs no model.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HEALTH, HeadKind, HeadLevel, HeadSpec


class Meaning(BaseModel, extra="forbid", frozen=True):
    """What verdicts on an alarm label.

    Attributes:
        columns: Names that the label column may have, the first if the machine has none of them.
        implied: Columns of the machine that are 1 wherever this is 1 for a component.
        fault: The value of what was found; None: the alarm does not tell.
        sound: The value of a sound component or machine; None: the task does not tell.
        values: The values of faults that somebody may have found where `fault` is None; None: any
            number.
    """

    columns: tuple[str, ...]
    implied: tuple[str, ...] = ()
    fault: float | None
    sound: float | None
    values: tuple[float, ...] | None = None

    def found(self, value: float | None) -> float | None:
        """Return the value of a fault, where `value` is what somebody found; None: unknown.

        Raises:
            SpecError: The alarm says what was found, or this is no value of a fault.
        """
        if value is None:
            return self.fault
        if self.fault is not None:
            raise SpecError(
                f"{value:g} is not accepted: the alarm says what was found; expected null",
                path="value",
            )
        if self.values is not None and value not in self.values:
            accepted = ", ".join(f"{each:g}" for each in self.values)
            raise SpecError(f"{value:g} is not accepted; expected {accepted}", path="value")
        return value


def meaning_of(
    heads: Sequence[HeadSpec], component_id: str, head: str, finding: str
) -> Meaning | None:
    """Return what verdicts on an alarm label.

    Args:
        heads: Of the task of the model that raised it.
        component_id: Of the alarm; empty for the machine itself.
        head: Of the alarm; empty for the lowest health and for normality.
        finding: Of the alarm.

    Returns:
        None if no head answers this, or a regression with several values is meant as a whole.
    """
    spec = {each.name: each for each in heads}.get(head)
    if spec is None:
        return None
    if spec.kind is HeadKind.MULTI_LABEL or (spec.kind is HeadKind.REGRESSION and spec.labels):
        if finding not in spec.labels:
            return None
        name = finding
    else:
        (name,) = spec.columns
    fault, sound, values = _values(spec, heads, finding)
    if not component_id:
        return Meaning(columns=(name,), fault=fault, sound=sound, values=values)
    single = spec.components is not None and len(spec.components) == 1
    joined = spec.kind in (HeadKind.MULTI_LABEL, HeadKind.BINARY) and _is_evidence(
        spec, heads, HeadLevel.MACHINE
    )
    return Meaning(
        columns=(f"{component_id}.{name}", *([name] if single else [])),
        implied=(name,) if joined else (),
        fault=fault,
        sound=sound,
        values=values,
    )


def evidence_of(heads: Sequence[HeadSpec]) -> dict[str, str]:
    """Return the head of components from which each head of the machine is derived, by name.

    The empty name stands for the lowest health and for normality, which are of both.
    """
    derived = {
        head.name: head.evidence
        for head in heads
        if head.level is HeadLevel.MACHINE and head.evidence is not None
    }
    return {"": "", **derived}


def _is_evidence(spec: HeadSpec, heads: Sequence[HeadSpec], level: HeadLevel) -> bool:
    """Return whether answers of a level are joined from those of this head."""
    return any(each.evidence == spec.name and each.level is level for each in heads)


class _Values(NamedTuple):
    """As in `Meaning`."""

    fault: float | None
    sound: float | None
    values: tuple[float, ...] | None


def _values(spec: HeadSpec, heads: Sequence[HeadSpec], finding: str) -> _Values:
    match spec.kind:
        case HeadKind.MULTI_LABEL:
            return _Values(1.0, 0.0, None)
        case HeadKind.BINARY:
            fault = 1.0 if spec.healthy is None else 1.0 - spec.healthy
            return _Values(fault, spec.healthy, None)
        case HeadKind.REGRESSION:
            return _Values(None, _sound(spec, heads), None)
    faults = {each.name: each.value for each in spec.classes if each.value != spec.healthy}
    return _Values(faults.get(finding), spec.healthy, tuple(faults.values()))


def _sound(spec: HeadSpec, heads: Sequence[HeadSpec]) -> float | None:
    """Return a regression's value of what is sound: 1 of a health, 0 of severities."""
    if spec.columns == (HEALTH,):
        return 1.0
    return 0.0 if _is_evidence(spec, heads, HeadLevel.COMPONENT) else None
