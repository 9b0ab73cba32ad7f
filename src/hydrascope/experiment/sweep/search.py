"""A search: Optuna chooses each next trial from the results so far."""

import json
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, Trial, TrialState

from hydrascope.experiment.complaints import USER_ERRORS, complaint
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.launcher.base import Launcher, open_launcher
from hydrascope.experiment.sweep.composition import trial_settings
from hydrascope.experiment.sweep.loop import RunningTrial, Sweep, summarize
from hydrascope.experiment.sweep.report import report, table
from hydrascope.experiment.sweep.search_settings import Option, SearchSettings, Tried
from hydrascope.schemas.errors import SpecError
from hydrascope.tracking.destination import PARENT
from hydrascope.tracking.loggers import flatten

ERROR, OVERRIDES = "error", "overrides"
"""The attributes of a trial: why it failed, and its overrides. A failed trial without a reason was
running when the search was interrupted."""


def run(settings: TrainSettings, sweep: SearchSettings) -> None:
    """Search until there are `sweep.trials` trials; continue a stopped search of the same name."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    folder = Path(sweep.folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "sweep.lock", timeout=0)
    try:
        with lock, open_launcher(settings.launcher, folder) as launcher:
            _Search(settings, sweep, folder, launcher).search()
    except Timeout:
        raise SpecError(
            f"sweep.name: {sweep.name!r} is running already, in {folder}; expected another name"
        ) from None


class _Search(Sweep):
    def __init__(
        self, settings: TrainSettings, sweep: SearchSettings, folder: Path, launcher: Launcher
    ) -> None:
        self._sweep, self._study = sweep, _open(sweep, folder)
        _check_same(self._study, settings, sweep)
        self._trials: dict[int, Trial] = {}
        # A continued search uses the same run in MLflow.
        before = self._study.user_attrs.get(PARENT)
        super().__init__(sweep.name, folder, settings, launcher, before)

    def search(self) -> None:
        """Run the search, then report."""
        self._requeue_interrupted()
        self.run()
        if self.runs:
            best = self._study.best_trials[:1]
            self.runs.finish(
                dict(zip(self._sweep.objectives, best[0].values, strict=True)) if best else {}
            )
        report(self._study, self._sweep, self.folder, self.console)

    def parent(self) -> str | None:
        parent = super().parent()
        if self.runs:
            self._study.set_user_attr(PARENT, parent)
        return parent

    def _run_dir(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}"

    def _requeue_interrupted(self) -> None:
        """Queue the trials again that were running when the search was interrupted."""
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.enqueue_trial(trial.params)
            self._study.tell(trial.number, state=TrialState.FAIL)
            self.end_run(self._run_dir(trial.number).name, "KILLED")

    def trials(self) -> Iterator[tuple[int, TrainSettings]]:
        """Yield trials until there are enough; trials with invalid combinations of values fail."""
        while sum(map(_counts, self._study.get_trials(deepcopy=False))) < self._sweep.trials:
            trial = self._study.ask()
            self._trials[trial.number] = trial
            chosen = [
                f"{key}={_written(_suggest(trial, key, tried))}"
                for key, tried in self._sweep.space.items()
                if tried
            ]
            trial.set_user_attr(OVERRIDES, chosen)
            run_dir = self._run_dir(trial.number)
            try:
                settings = trial_settings(chosen, run_dir)
            except USER_ERRORS as error:
                self.fail(trial.number, run_dir.name, str(complaint(error, "train.py")))
            else:
                yield trial.number, settings

    def succeeded(self, trial: RunningTrial) -> None:
        """Report the values to Optuna; the trial fails if an objective has no finite value."""
        number, at_best = trial.number, trial.process.at_best
        values = [at_best.get(name, math.nan) for name in self._sweep.objectives]
        for name, value in zip(self._sweep.objectives, values, strict=True):
            if not math.isfinite(value):
                known = ", ".join(key for key in at_best if key.startswith("val/"))
                why = f"{name}: no finite value; there are: {known}"
                self.fail(number, trial.process.folder.name, why)
                return
        self._study.tell(number, values)
        text = ", ".join(f"{v:.4g}" for v in values)
        self.say(f"Trial {number}: {text} with {self._trials[number].params}")

    def failed(self, number: int, why: str) -> None:
        self._trials[number].set_user_attr(ERROR, why)
        self._study.tell(number, state=TrialState.FAIL)

    def interrupted(self) -> str:
        self._requeue_interrupted()
        if rows := table(self._study, self._sweep):
            summarize(rows, self.name, self.folder, self.console)
        return "the same command continues the search"

    def given_up(self, trial: RunningTrial) -> bool:
        """Report a trial's progress to Optuna; return whether it is pruned."""
        if self._sweep.pruning is None:
            return False
        number, optuna_trial = trial.number, self._trials[trial.number]
        (objective,) = self._sweep.objectives
        reported = self._study.get_trials(deepcopy=False)[number].intermediate_values
        new = {
            epoch: metrics[objective]
            for epoch, metrics in trial.process.metrics().items()
            if objective in metrics and epoch not in reported
        }
        for epoch, value in new.items():
            optuna_trial.report(value, epoch)
        if not new or not optuna_trial.should_prune():
            return False
        self._study.tell(number, state=TrialState.PRUNED)
        self.say(f"Trial {number}: pruned, {optuna_trial.params}")
        return True


def _counts(trial: FrozenTrial) -> bool:
    interrupted = trial.state == TrialState.FAIL and ERROR not in trial.user_attrs
    return trial.state != TrialState.WAITING and not interrupted


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
    """Return a value in the syntax of overrides."""
    return str(value) if isinstance(value, str) else json.dumps(value)


def _open(sweep: SearchSettings, folder: Path) -> optuna.Study:
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
    # With the same seed a continued search would repeat its draws.
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=sweep.random_trials, seed=sweep.seed + len(study.get_trials())
    )
    return study


def _check_same(study: optuna.Study, settings: TrainSettings, sweep: SearchSettings) -> None:
    """Refuse to continue a search with other settings, because its trials could not be compared."""
    plain = {
        "sweep": sweep.model_dump(mode="json", include={"objectives", "space"}),
        **settings.model_dump(
            mode="json", by_alias=True, exclude={"run_dir", "tracking", "launcher"}
        ),
    }
    now: dict[str, Any] = json.loads(json.dumps(flatten(plain)))
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
