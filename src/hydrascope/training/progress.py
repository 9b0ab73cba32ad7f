"""The progress bar, with the remaining time of the whole training."""

import time

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar


class Progress(RichProgressBar):
    """Adds to an epoch's bar the time until the last epoch ends, without early stopping."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the time and the step at which this process starts."""
        super().on_train_start(trainer, pl_module)
        self._started, self._first_step = time.monotonic(), trainer.global_step

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Add the remaining time as H:MM:SS, after the first step."""
        metrics = super().get_metrics(trainer, pl_module)
        if done := trainer.global_step - self._first_step:
            left = float(trainer.estimated_stepping_batches) - trainer.global_step
            metrics["left"] = clock((time.monotonic() - self._started) / done * left)
        return metrics


def clock(seconds: float) -> str:
    """Format a time as H:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
