"""The results of a search: a table, figures, and the best configuration as an experiment."""

from pathlib import Path

import optuna
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization.matplotlib import plot_parallel_coordinate, plot_param_importances
from rich.console import Console

from hydrascope.experiment.sweep.composition import write_experiment
from hydrascope.experiment.sweep.loop import summarize
from hydrascope.experiment.sweep.search_settings import SearchSettings
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import whole_file


def report(study: optuna.Study, sweep: SearchSettings, folder: Path, console: Console) -> None:
    """Print the results and write them into the sweep's folder.

    Raises:
        SpecError: No trial has succeeded.
    """
    rows = table(study, sweep)
    summarize(rows, sweep.name, folder, console)
    succeeded = study.get_trials(states=(TrialState.COMPLETE,))
    if not succeeded:
        first = next((row["why"] for row in rows if row["why"]), "")
        raise SpecError(f"sweep: none of {len(rows)} trials succeeded; the first: {first}")
    for trial in study.best_trials:
        name = "best" if len(sweep.objectives) == 1 else f"best_{trial.number}"
        values = ", ".join(
            f"{name} {value:.6g}"
            for name, value in zip(sweep.objectives, trial.values, strict=True)
        )
        about = f"Trial {trial.number} of the sweep {sweep.name}: {values}."
        write_experiment(trial.user_attrs["overrides"], about, folder / f"experiment/{name}.yaml")
        overrides = f"--config-dir {folder} experiment={name}"
        console.print(f"{about} Train it with {overrides}", soft_wrap=True)
        if len(sweep.objectives) == 1:
            break
    _draw(study, sweep, folder, console)


def table(study: optuna.Study, sweep: SearchSettings) -> list[dict[str, str]]:
    """Return a row for each trial that has begun."""
    return [
        {
            "trial": str(trial.number),
            "state": trial.state.name.lower(),
            **{
                name: f"{trial.values[at]:.6g}" if trial.values else ""
                for at, name in enumerate(sweep.objectives)
            },
            **{key: _short(trial.params.get(key)) for key, tried in sweep.space.items() if tried},
            "seconds": f"{trial.duration.total_seconds():.0f}" if trial.duration else "",
            "why": _why(trial),
        }
        for trial in study.get_trials()
        if trial.state != TrialState.WAITING
    ]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _why(trial: FrozenTrial) -> str:
    if trial.state != TrialState.FAIL:
        return ""
    return str(trial.user_attrs.get("error", "the sweep was interrupted; tried again"))


def _draw(study: optuna.Study, sweep: SearchSettings, folder: Path, console: Console) -> None:
    """Draw each objective over the parameters, and the importance of each parameter for it."""
    pyplot.switch_backend("Agg")  # opens no window, and needs no screen
    evaluator = FanovaImportanceEvaluator(seed=sweep.seed)
    for at, name in enumerate(sweep.objectives):
        ending = "" if len(sweep.objectives) == 1 else f"_{name.replace('/', '_')}"

        def value(trial: FrozenTrial, at: int = at) -> float:
            return float(trial.values[at])

        figure = _figure(plot_parallel_coordinate(study, target=value, target_name=name))
        # Optuna's size leaves no room between the last axis and the colour bar.
        figure.set_size_inches(4 + 3 * len(study.best_trials[0].params), 5)
        _save(figure, folder / f"parallel_coordinates{ending}.png")
        try:
            axes = plot_param_importances(study, evaluator, target=value, target_name=name)
        except (ValueError, RuntimeError) as reason:  # one trial, or values that do not differ
            console.print(f"No importance of parameters for {name}: {reason}")
        else:
            _save(_figure(axes), folder / f"importance{ending}.png")


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _save(figure: Figure, file: Path) -> None:
    with whole_file(file) as part:
        figure.savefig(part, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
