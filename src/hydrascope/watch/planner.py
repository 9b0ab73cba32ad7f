"""Which machines are to be visited."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from hydrascope.monitoring.watches import Watched, WatchRepository
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.equipment.references import check_length, check_use
from hydrascope.serving.equipment.store import EquipmentStore
from hydrascope.serving.windows import GivenReference
from hydrascope.watch.metrics import WatchMetrics
from hydrascope.watch.model import WatchModel
from hydrascope.watch.settings import WatchSettings
from hydrascope.watch.visit import Subject

_LOOKS = 4
"""How often a window is looked at that is not complete, while a window's time passes."""

_log = logging.getLogger(__name__)


class Planner:
    """Finds machines with new telemetry that the model can read.

    Args:
        settings: Of the watch.
        model: Answers.
        store: Has machines and their reference windows.
        watches: Has the progress of all machines.
        metrics: Show what was found.
    """

    def __init__(
        self,
        settings: WatchSettings,
        model: WatchModel,
        store: EquipmentStore,
        watches: WatchRepository,
        metrics: WatchMetrics,
    ) -> None:
        self._patterns = [each.strip() for each in settings.machines.split(",")]
        self._once = settings.once
        self._model, self._store, self._watches = model, store, watches
        self._metrics = metrics
        self._window = timedelta(seconds=model.manifest.window.window_s)
        self._said_empty = False
        self._refused: dict[str, str] = {}
        self._late: dict[str, int] = {}
        self._planned: dict[str, Watched] = {}
        self._waiting: dict[str, tuple[datetime, int]] = {}
        self._checked: dict[str, tuple[Machine, GivenReference | None, Subject | None]] = {}

    async def machines_to_visit(self) -> list[Watched]:
        """Return the machines with telemetry of which a window may be due.

        Raises:
            DatabaseError, UnavailableError: The database does not answer.
        """
        machines = await self._store.all()
        watched = [each for each in await self._watches.watched() if self._is_meant(each)]
        self._say_if_empty(watched)
        self._metrics.fleet.show(watched)
        self._name_late(watched)
        found = []
        for each in watched:
            machine = machines.get(each.equipment_id)
            if machine is None or not self._may_be_due(each, machine):
                continue
            if await self._subject(each.equipment_key, machine) is not None:
                self._planned[each.equipment_id] = each
                found.append(each)
        self._metrics.unreadable.set(len(self._refused))
        return found

    async def subject(self, key: int, equipment_id: str) -> Subject | None:
        """Return a machine as it is visited; None if the model cannot read it.

        Raises:
            UnavailableError: The database does not answer.
        """
        return await self._subject(key, await self._store.get(equipment_id))

    def wait_for_more(self, equipment_id: str) -> None:
        """Leave a machine alone until there is more telemetry than when it was last planned."""
        if (planned := self._planned.get(equipment_id)) is not None:
            self._waiting[equipment_id] = (planned.latest, planned.revision)

    def _say_if_empty(self, watched: Sequence[Watched]) -> None:
        """Say once that there is nothing to watch; telemetry may come later."""
        if not watched and not self._said_empty:
            _log.warning(
                "no machine of %r has telemetry in hydrascope.telemetry yet; tables of other "
                "applications are not watched",
                ",".join(self._patterns),
            )
        self._said_empty = not watched

    def _is_meant(self, each: Watched) -> bool:
        return any(fnmatchcase(each.equipment_id, pattern) for pattern in self._patterns)

    def _may_be_due(self, each: Watched, machine: Machine) -> bool:
        seen = (each.latest, each.revision)
        if not each.has_news or self._waiting.get(each.equipment_id) == seen:
            return False
        if each.upto is None or each.covered is None:
            return True
        slowest_hz = min((s.rate_hz for _, s in machine.topology.sensors), default=1.0)
        end = min(each.upto, each.covered) + self._window
        if each.latest + timedelta(seconds=1 / slowest_hz) < end:
            return False
        # A window with a gap waits for late samples; it is not read again for each sample.
        look = self._window / _LOOKS
        return (
            self._once
            or each.newest is None
            or each.latest - each.newest >= look
            or (each.idle_s or 0.0) >= look.total_seconds()
        )

    async def _subject(self, key: int, machine: Machine) -> Subject | None:
        equipment_id = machine.equipment.equipment_id
        given = None
        try:
            given = await self._store.reference(machine)
            known = self._checked.get(equipment_id)
            if known is None or known[0] is not machine or known[1] is not given:
                subject = Subject(key, machine, await self._usable(machine, given))
                self._checked[equipment_id] = (machine, given, subject)
                self._refused.pop(equipment_id, None)
        except SpecError as error:
            self._checked[equipment_id] = (machine, given, None)
            if self._refused.get(equipment_id) != str(error):
                self._refused[equipment_id] = str(error)
                _log.warning("%s: not diagnosed: %s", equipment_id, error)
        return self._checked[equipment_id][2]

    async def _usable(
        self, machine: Machine, given: GivenReference | None
    ) -> GivenReference | None:
        """Return the reference windows that a machine's windows are compared with.

        Raises:
            SpecError: The model cannot read the machine, or not without other reference windows.
        """
        window_s = self._model.manifest.window.window_s
        usable = given if given is not None and given.window_s == window_s else None
        use = await self._model.check(machine, usable)
        if given is not None and use is not None:
            check_length(given, window_s)
        check_use(use, machine.equipment.equipment_id)
        return usable

    def _name_late(self, watched: Sequence[Watched]) -> None:
        for each in watched:
            if each.late_samples > self._late.get(each.equipment_id, 0):
                self._late[each.equipment_id] = each.late_samples
                _log.warning(
                    "%s: %d samples came too late for their windows, from %s to %s; "
                    "the diagnoses stay as they are (see lateness_s)",
                    each.equipment_id, each.late_samples, each.late_first, each.late_last,
                )  # fmt: skip
