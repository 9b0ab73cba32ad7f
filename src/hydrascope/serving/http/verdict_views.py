"""Bodies of requests that say what was found at a machine after an alarm."""

from typing import Annotated

from pydantic import Field

from hydrascope.monitoring.alarm import Judgement, Verdict
from hydrascope.schemas.errors import SpecError
from hydrascope.serving.http.history_views import NoteRequest, Time


class CloseRequest(NoteRequest):
    """A note and what was found at the machine, if somebody looked."""

    verdict: Verdict | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Value of the fault that was found, such as a severity, where the alarm does not tell."""
    repaired_at: Time | None = None
    """With `repaired`: telemetry time from which the machine is sound; null: now."""

    def judgement(self) -> Judgement | None:
        """Return what was found; None without a verdict.

        Raises:
            SpecError: There is a value or a repair without a verdict.
        """
        if self.verdict is not None:
            return Judgement(self.verdict, self.value, self.repaired_at)
        if self.value is not None or self.repaired_at is not None:
            raise SpecError(
                "missing, but value or repaired_at is given; expected one", path="verdict"
            )
        return None


class VerdictRequest(CloseRequest):
    """A note and what was found at the machine."""

    verdict: Verdict

    def judgement(self) -> Judgement:
        """Return what was found."""
        return Judgement(self.verdict, self.value, self.repaired_at)
