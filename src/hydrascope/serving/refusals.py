"""Why the engine gives no answer to a request that was understood."""


class QueueFullError(Exception):
    """As many requests wait as may wait, or as can be answered in time.

    Args:
        retry_after_s: When they will have been answered.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the queue is full")
        self.retry_after_s = retry_after_s


class DeadlineError(Exception):
    """The answer would have come later than the request allows."""


class StoppedError(Exception):
    """The service is shutting down."""


class EngineFaultError(Exception):
    """The engine failed on this request; the cause is in the log."""
