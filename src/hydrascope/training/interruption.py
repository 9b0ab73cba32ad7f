"""Interruption of a training by SIGTERM or lack of memory."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import current_thread, main_thread
from types import FrameType

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.memory import is_oom_error

from hydrascope.schemas.errors import SpecError


class EndOnSigterm(Callback):
    """Ends a training in one process on SIGTERM and writes a checkpoint to resume from.

    Within an epoch the checkpoint is written after the current step. After the last step of an
    epoch its validation is completed first, because Lightning cannot resume within a validation.
    Then the usual checkpoint at the end of the epoch serves. Several processes end as Lightning
    implements it, and the latest checkpoint remains.

    Args:
        file: The checkpoint to write; None for no checkpoint.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._requested = self._in_epoch = False

    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Take the signal over from Lightning, which restores its handler after the training."""
        self._lightning_handler = signal.getsignal(signal.SIGTERM)
        if trainer.world_size == 1 and current_thread() is main_thread():
            signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """Let Lightning end the training after this step, unless it is the epoch's last."""
        if self._requested and not trainer.is_last_batch and callable(self._lightning_handler):
            self._in_epoch = True
            # Lightning ends the training once the step is counted. It also calls the handler that
            # was installed before its own, which may try to exit at once.
            with suppress(SystemExit):
                self._lightning_handler(signal.SIGTERM, None)

    def on_train_epoch_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        """End the training between epochs."""
        if self._requested:
            raise SIGTERMException

    def on_train_end(self, _trainer: Trainer, _module: LightningModule) -> None:
        """End the run after the last epoch, before anything else is fitted or tested."""
        if self._requested:
            raise SIGTERMException

    def on_exception(
        self, trainer: Trainer, _module: LightningModule, exception: BaseException
    ) -> None:
        """Write the checkpoint if the training was ended within an epoch."""
        if self._file and self._in_epoch and isinstance(exception, SIGTERMException):
            trainer.save_checkpoint(self._file)


@contextmanager
def within_memory(batch_size: int) -> Iterator[None]:
    """Turn an out-of-memory error into advice on which settings to lower.

    Raises:
        SpecError: There is not enough memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not (isinstance(error, MemoryError) or is_oom_error(error)):
            raise
        reason = next(iter(str(error).splitlines()), "") or "no memory left"
        raise SpecError(
            f"train.py: out of memory ({reason}); lower data.batch_size (now {batch_size}), "
            "model.hidden_channels or data.window.steps, or set hardware.checkpointing=true"
        ) from error
