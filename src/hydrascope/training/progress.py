"""The progress bar, with the time that is left of the whole training."""

import time

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar


class Progress(RichProgressBar):
    """Shows beside an epoch's own bar when the last epoch will have ended, if all are needed."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the time and the step that this process begins with."""
        super().on_train_start(trainer, pl_module)
        self._began, self._first_step = time.monotonic(), trainer.global_step

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Add what is left, as H:MM:SS, once a step has been made."""
        metrics = super().get_metrics(trainer, pl_module)
        if done := trainer.global_step - self._first_step:
            left = float(trainer.estimated_stepping_batches) - trainer.global_step
            metrics["left"] = clock((time.monotonic() - self._began) / done * left)
        return metrics


def clock(seconds: float) -> str:
    """Write a time as H:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
