"""The sweep itself: asks Optuna what to try, trains it, tells how it went."""

import json
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.console import Console

from hydrascope.experiment.complaints import USER_ERRORS, complaint
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.launcher.base import Launcher, keep_busy, open_launcher
from hydrascope.experiment.run_settings import MLflowSettings
from hydrascope.experiment.sweep.composition import trial_settings
from hydrascope.experiment.sweep.process import TrialProcess
from hydrascope.experiment.sweep.report import report
from hydrascope.experiment.sweep.search_settings import Option, SweepSettings, Tried
from hydrascope.schemas.errors import SpecError
from hydrascope.tracking.destination import PARENT
from hydrascope.tracking.loggers import flatten
from hydrascope.tracking.nested import NestedRuns

ERROR, OVERRIDES = "error", "overrides"
"""What a trial is marked with: why it failed, and what it set. One that failed for no reason was
running when the sweep was broken off."""


class _Running(NamedTuple):
    trial: Trial
    process: TrialProcess

    def end(self) -> None:
        self.process.end()


def run(settings: TrainSettings, sweep: SweepSettings) -> None:
    """Search until there are `sweep.trials`, going on where a search of this name stopped."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    folder = Path(sweep.folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "sweep.lock", timeout=0)
    try:
        with lock, open_launcher(settings.launcher, folder) as launcher:
            _Sweep(settings, sweep, folder, launcher).search()
    except Timeout:
        raise SpecError(
            f"sweep.name: {sweep.name!r} is running already, in {folder}; expected another name"
        ) from None


class _Sweep:
    def __init__(
        self, settings: TrainSettings, sweep: SweepSettings, folder: Path, launcher: Launcher
    ) -> None:
        self.sweep, self.folder, self.console = sweep, folder, Console()
        self.launcher, self.parallel = launcher, settings.launcher.parallel
        self.study = _open(sweep, folder)
        _check_same(self.study, settings, sweep)
        self.runs = self._nested(settings.tracking.mlflow)

    def search(self) -> None:
        """Search, then report."""
        self._give_back_interrupted()
        keep_busy(self._started(), self._settled, self.parallel)
        if self.runs:
            best = self.study.best_trials[:1]
            self.runs.finish(
                dict(zip(self.sweep.objectives, best[0].values, strict=True)) if best else {}
            )
        report(self.study, self.sweep, self.folder, self.console)

    def _nested(self, mlflow: MLflowSettings | None) -> NestedRuns | None:
        """Return the run of the sweep in MLflow, which a search that goes on finds again."""
        if mlflow is None:
            return None
        before = self.study.user_attrs.get(PARENT)
        return NestedRuns(
            mlflow.uri, mlflow.experiment, self.sweep.name, self.folder, self._say, before
        )

    def _parent(self) -> str | None:
        """Return the id of the search's run, as far as MLflow has given it one."""
        if self.runs is None:
            return None
        parent = self.runs.parent
        self.study.set_user_attr(PARENT, parent)
        return parent

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)

    def _run_dir(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}"

    def _end_run(self, number: int, status: str) -> None:
        """Have MLflow show as ended what could not say so itself."""
        if self.runs:
            self.runs.end(self._run_dir(number).name, status)

    def _started(self) -> Iterator[_Running]:
        """Start the next trial whenever one is asked for, until there are enough."""
        while self._wanted():
            if running := self._start():
                yield running

    def _wanted(self) -> bool:
        counted = [t for t in self.study.get_trials(deepcopy=False) if _counts(t)]
        return len(counted) < self.sweep.trials

    def _give_back_interrupted(self) -> None:
        """Let what was running when the sweep was broken off be tried again."""
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            self.study.enqueue_trial(trial.params)
            self.study.tell(trial.number, state=TrialState.FAIL)
            self._end_run(trial.number, "KILLED")

    def _start(self) -> _Running | None:
        """Start the next trial, if its values go together."""
        trial = self.study.ask()
        chosen = [
            f"{key}={_written(_suggest(trial, key, tried))}"
            for key, tried in self.sweep.space.items()
            if tried
        ]
        trial.set_user_attr(OVERRIDES, chosen)
        run_dir = self._run_dir(trial.number)
        try:
            settings = trial_settings(chosen, run_dir, self._parent(), self.sweep.name)
        except USER_ERRORS as error:
            self._failed(trial, complaint(error, "train.py"))
            return None
        return _Running(trial, TrialProcess(settings, self.launcher))

    def _settled(self, running: _Running) -> bool:
        """Report how far a trial is; return whether it has ended."""
        trial, process = running
        code = process.exit_code
        if code is None:
            return self._pruned(running)
        process.end()
        if code:
            self._failed(trial, process.last_line)
            return True
        at_best = process.at_best
        values = [at_best.get(name, math.nan) for name in self.sweep.objectives]
        for name, value in zip(self.sweep.objectives, values, strict=True):
            if not math.isfinite(value):
                known = ", ".join(key for key in at_best if key.startswith("val/"))
                self._failed(trial, f"{name}: no finite value; there are: {known}")
                return True
        self.study.tell(trial, values)
        said = ", ".join(f"{v:.4g}" for v in values)
        self.console.print(f"Trial {trial.number}: {said} with {trial.params}", soft_wrap=True)
        return True

    def _pruned(self, running: _Running) -> bool:
        if self.sweep.pruning is None:
            return False
        trial, process = running
        (objective,) = self.sweep.objectives
        reported = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        new = {
            epoch: metrics[objective]
            for epoch, metrics in process.metrics().items()
            if objective in metrics and epoch not in reported
        }
        for epoch, value in new.items():
            trial.report(value, epoch)
        if not new or not trial.should_prune():
            return False
        process.end()
        self.study.tell(trial, state=TrialState.PRUNED)
        self._end_run(trial.number, "KILLED")
        self.console.print(f"Trial {trial.number}: pruned, {trial.params}", soft_wrap=True)
        return True

    def _failed(self, trial: Trial, why: str) -> None:
        trial.set_user_attr(ERROR, why)
        self.study.tell(trial, state=TrialState.FAIL)
        self._end_run(trial.number, "FAILED")
        self.console.print(f"Trial {trial.number}: failed: {why}", soft_wrap=True)


def _counts(trial: FrozenTrial) -> bool:
    broken_off = trial.state == TrialState.FAIL and ERROR not in trial.user_attrs
    return trial.state != TrialState.WAITING and not broken_off


def _suggest(trial: Trial, key: str, tried: Tried) -> Option:
    if tried.choices:
        return trial.suggest_categorical(key, tried.choices)
    low, high = tried.low, tried.high
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, log=tried.log)
    return trial.suggest_float(key, low, high, log=tried.log)


def _written(value: Option) -> str:
    """Write a value as an override has it."""
    return str(value) if isinstance(value, str) else json.dumps(value)


def _open(sweep: SweepSettings, folder: Path) -> optuna.Study:
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
    study = optuna.create_study(
        storage=storage,
        study_name=sweep.name,
        load_if_exists=True,
        directions=list(sweep.objectives.values()),
        pruner=optuna.pruners.MedianPruner(
            sweep.pruning.startup_trials, n_warmup_steps=sweep.pruning.warmup_epochs
        )
        if sweep.pruning
        else optuna.pruners.NopPruner(),
    )
    # With the same seed a continued search would draw again what it has drawn.
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=sweep.random_trials, seed=sweep.seed + len(study.get_trials())
    )
    return study


def _check_same(study: optuna.Study, settings: TrainSettings, sweep: SweepSettings) -> None:
    """Refuse to go on with a search of other settings, whose trials could not be compared."""
    asked = {
        "sweep": sweep.model_dump(mode="json", include={"objectives", "space"}),
        **settings.model_dump(
            mode="json", by_alias=True, exclude={"run_dir", "tracking", "launcher"}
        ),
    }
    now: dict[str, Any] = json.loads(json.dumps(flatten(asked)))
    before: dict[str, Any] = study.user_attrs.get("settings", now)
    differ: Sequence[str] = sorted(
        key for key in now.keys() | before.keys() if now.get(key) != before.get(key)
    )
    if differ:
        raise SpecError(
            f"sweep.name: {sweep.name!r} is a search that differs in {', '.join(differ)}; "
            "expected another name"
        )
    study.set_user_attr("settings", now)
