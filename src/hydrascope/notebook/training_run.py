"""A training that has ended: its results, and what it answers."""

from functools import cached_property
from pathlib import Path
from typing import Unpack

import pandas as pd

from hydrascope.evaluation.compare import EVALUATION
from hydrascope.experiment import evaluate
from hydrascope.experiment.job_settings import EvaluateSettings, TrainSettings
from hydrascope.experiment.python_call import spec_errors
from hydrascope.experiment.run_folder import new_folder
from hydrascope.experiment.training_job import RESULTS
from hydrascope.notebook.diagnoser import Diagnoser, FrameOptions
from hydrascope.schemas.arguments import PathOrText, checked
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.json_file import load_json
from hydrascope.training.checkpoint import read_checkpoint


class TrainingRun:
    """A run by its folder, of `fit` or of `train.py`.

    Args:
        folder: Holds the checkpoints, the results and the settings.

    Raises:
        SpecError: It holds no run that has ended.
    """

    @checked
    def __init__(self, folder: PathOrText) -> None:
        self.folder = Path(folder).expanduser().absolute()
        if not (self.folder / RESULTS).is_file():
            raise SpecError(
                f"folder: {str(folder)!r} holds no {RESULTS}; expected the folder of a training "
                "that has ended"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    @property
    def checkpoint(self) -> Path:
        """The best checkpoint: for `Diagnoser.load`, `evaluate.py`, `export.py`."""
        return self.folder / "checkpoints" / "best.ckpt"

    @cached_property
    def settings(self) -> TrainSettings:
        """Everything that the training was told, without its trackers."""
        recorded = read_checkpoint(self.checkpoint).record["settings"]
        return TrainSettings.model_validate(recorded | {"run_dir": str(self.folder)})

    @cached_property
    def diagnoser(self) -> Diagnoser:
        """What was trained; opened once it is asked for."""
        return Diagnoser.load(self.checkpoint)

    @property
    def results(self) -> pd.DataFrame:
        """Test metrics of the training: a row a model and head, a column a metric.

        The first model is what was trained, the others are baselines on the same split.
        """
        tested, own = load_json(self.folder / RESULTS)["test"], self.settings.model.name
        rows = [
            {"model": model, "head": head, **metrics}
            for model in sorted(tested, key=lambda name: (name != own, name))
            for head, metrics in tested[model].items()
        ]
        return pd.DataFrame(rows, columns=None if rows else ["model", "head"])

    def predict(self, frame: pd.DataFrame, **options: Unpack[FrameOptions]) -> pd.DataFrame:
        """Answer every whole window of telemetry, as `Diagnoser.predict`."""
        return self.diagnoser.predict(frame, **options)

    def explain(
        self,
        frame: pd.DataFrame,
        *,
        heads: list[str] | None = None,
        **options: Unpack[FrameOptions],
    ) -> pd.DataFrame:
        """Say which sensors the answers leaned on, as `Diagnoser.explain`."""
        return self.diagnoser.explain(frame, heads=heads, **options)

    @checked
    def evaluate(self, *, missing_sensors: bool = False, quiet: bool = False) -> pd.DataFrame:
        """Judge the checkpoint on its test windows, as `evaluate.py` does.

        `report.html` and all that it writes lie in the folder `evaluation` of the run (the next
        time in `evaluation-2` …).

        Args:
            missing_sensors: Also say what answers are worth without a sensor, or any two.
            quiet: Print nothing.

        Returns:
            A row a head and metric: `value`, and the bounds `low` and `high` of its 95 % interval,
            NaN where there is none.

        Raises:
            SpecError: What is wrong with the checkpoint or the data.
        """
        folder = Path(new_folder(str(self.folder / "evaluation")))
        settings = EvaluateSettings(
            ckpt=str(self.checkpoint),
            judge="test",
            compare=None,
            missing_sensors=missing_sensors,
            run_dir=str(folder),
            hardware=self.settings.hardware,
        )
        with spec_errors("evaluate", "evaluate.py"):
            evaluate.run(settings, quiet=quiet)
        rows = []
        for head, metrics in load_json(folder / EVALUATION)["judged"].items():
            for metric, judged in metrics.items():
                low, high = judged["interval"] or (None, None)
                rows.append((head, metric, judged["value"], low, high))
        columns = ["head", "metric", "value", "low", "high"]
        return pd.DataFrame(rows, columns=columns).astype(
            dict.fromkeys(("value", "low", "high"), "float64")
        )
