"""A training that is told to end, or that asks for more memory than there is."""

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
    """Ends a training of one process, with a checkpoint to go on from, when SIGTERM comes.

    Within an epoch it is written when the step that runs has ended. From an epoch's last step on
    its validation is waited for, because Lightning cannot go on from within one; what is written
    at the end of every epoch stays then. Several processes end as Lightning has it, and what was
    written last stays.

    Args:
        file: The checkpoint; None: none is written.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._told = self._within = False

    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Take the signal over from Lightning, which gives it back when the training has ended."""
        self._lightnings = signal.getsignal(signal.SIGTERM)
        if trainer.world_size == 1 and current_thread() is main_thread():
            signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """Have Lightning end it behind this step, unless it is the epoch's last."""
        if self._told and not trainer.is_last_batch and callable(self._lightnings):
            self._within = True
            # Lightning notes it, and ends the training once the step is counted. A handler that was
            # there before Lightning's is called behind it, and may want to exit at once.
            with suppress(SystemExit):
                self._lightnings(signal.SIGTERM, None)

    def on_train_epoch_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        """End it between epochs."""
        if self._told:
            raise SIGTERMException

    def on_train_end(self, _trainer: Trainer, _module: LightningModule) -> None:
        """End it behind the last epoch, before what is left is fitted and tested."""
        if self._told:
            raise SIGTERMException

    def on_exception(
        self, trainer: Trainer, _module: LightningModule, exception: BaseException
    ) -> None:
        """Write the checkpoint, within an epoch."""
        if self._file and self._within and isinstance(exception, SIGTERMException):
            trainer.save_checkpoint(self._file)


@contextmanager
def within_memory(batch_size: int) -> Iterator[None]:
    """Say what to lower where there is not enough memory.

    Raises:
        SpecError: There is not.
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
