"""A press in a database whose telemetry grows, and whose alarms are judged."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jobs import export_settings, small, train_settings
from test_press import MACHINE, SPELL_S, START, WEAR
from typer.testing import CliRunner, Result
from yaml import safe_load

from hydrascope.cli import app
from hydrascope.experiment import export, train
from hydrascope.monitoring.alarm import AlarmFilter, Judgement
from hydrascope.monitoring.alarms import AlarmRepository
from hydrascope.monitoring.engine import Change, Transition
from hydrascope.monitoring.rules import Rule, RuleFile, Severity
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.task import HeadSpec
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.telemetry.timescale.repositories import equipment_key
from hydrascope.telemetry.timescale.settings import database_settings

T = TypeVar("T")
MODEL = "models:/press@champion"
WINDOW_S = 60


def signals(spell: int) -> dict[str, np.ndarray]:
    """Return the signals of a spell of ten minutes; in every other one the press is worn."""
    rng, at = np.random.default_rng(spell), np.arange(SPELL_S) + SPELL_S * spell
    worn = spell % 2
    return {
        "p_out": 150 + 10 * np.sin(at / 7) + rng.normal(size=SPELL_S) - 8 * worn,
        "t_oil": 45 + rng.normal(size=SPELL_S) + 3 * worn,
    }


def start_of(spell: int) -> datetime:
    time: datetime = (START + timedelta(seconds=SPELL_S * spell)).to_pydatetime()
    return time


class RetrainedPress:
    """The press, its database and a registry.

    Args:
        dsn: A database with the present schema.
        folder: For runs and the registry.
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        self.uri = f"sqlite:///{folder / 'registry.db'}"
        self._places = ("--uri", self.uri, "--artifacts", str(folder / "artifacts"))
        machine = Machine.model_validate(safe_load(MACHINE))
        self._with(lambda connector: connector.equipment.save(machine))

    def record(self, spells: range) -> None:
        """Write telemetry of some spells."""

        async def work(connector: TimescaleConnector) -> None:
            for spell in spells:
                time = pd.date_range(start_of(spell), periods=SPELL_S, freq="s", unit="us")
                parts = [
                    pd.DataFrame({"time": time, "sensor_id": name, "value": values})
                    for name, values in signals(spell).items()
                ]
                await connector.write_telemetry("press_7", pd.concat(parts))

        self._with(work)

    def label(self, spells: range) -> None:
        """Ingest labels of some spells."""
        starts = [start_of(spell) for spell in spells]
        ends = [start_of(spell + 1) for spell in spells]
        table = pd.DataFrame({"start": starts, "end": ends, "wear": [s % 2 for s in spells]})
        self._with(lambda connector: connector.labels.save("press_7", table))

    def judge(self, spells: range) -> None:
        """Raise an alarm of wear in each spell, and confirm it or call it false."""
        head = HeadSpec.model_validate(
            {"name": "wear", "level": "machine", "kind": "binary", "healthy": 0}
        )

        async def work(connector: TimescaleConnector) -> None:
            alarms = AlarmRepository(connector.database, RuleFile(rules=(Rule(name="worn"),)))
            for spell in spells:
                end = start_of(spell + 1)
                window = TimeWindow(start=end - timedelta(seconds=WINDOW_S), end=end)
                names = ("worn", Severity.WARNING, "", "wear", "present")
                since = start_of(spell).isoformat()
                raised = Transition(Change.RAISED, *names, window, since, 10, 0.9)

                async def apply(connection: Connection, raised: Transition = raised) -> None:
                    key = await equipment_key(connection, "press_7")
                    await alarms.apply(connection, key, [raised], "model", [head])

                await connector.database.transaction(apply)
                (alarm,) = (await alarms.page(AlarmFilter(state="open"))).alarms
                found = Judgement("confirmed" if spell % 2 else "false_alarm")
                await alarms.close(alarm.alarm_id, "anna", "looked at it", found)

        self._with(work)

    def train_champion(self) -> None:
        """Train on what there is, and register the model as champion."""
        run_dir = self.folder / "champion"
        train.run(train_settings(f"run_dir={run_dir}", *small(*self._overrides())))
        export.run(
            export_settings(
                str(run_dir / "checkpoints" / "best.ckpt"),
                self.folder / "bundle",
                "registry=mlflow",
                "alias=champion",
                f"uri={self.uri}",
                f"artifacts={self.folder / 'artifacts'}",
            )
        )

    def retrain(self, name: str, *overrides: str) -> tuple[Result, dict[str, Any]]:
        """Run the command; return its result and its report."""
        run_dir = self.folder / name
        result = CliRunner().invoke(
            app, ["retrain", MODEL, *overrides, *self._places, "--run-dir", str(run_dir)]
        )
        file = run_dir / "retraining.json"
        return result, json.loads(file.read_text()) if file.is_file() else {}

    def roll_back(self) -> Result:
        return CliRunner().invoke(app, ["rollback", MODEL, *self._places[:2]])

    def _overrides(self) -> list[str]:
        return [
            "data=timescale",
            f"data.source.dsn={self.dsn}",
            f"data.source.scans={self.folder / 'scans'}",
            f"data.store.folder={self.folder / 'store'}",
            "model=linear",
            f"task.heads=[{WEAR.replace('binary', 'binary, healthy: 0')}]",
            "task.name=press",
        ]

    def _with(self, work: Callable[[TimescaleConnector], Awaitable[T]]) -> T:
        async def inside() -> T:
            async with TimescaleConnector(database_settings(dsn=self.dsn)) as connector:
                return await work(connector)

        return asyncio.run(inside())
