"""Errors of the engine on a request that is valid."""


class EngineError(Exception):
    """The engine does not answer a request."""


class RetryLaterError(EngineError):
    """The engine accepts no request now.

    Attributes:
        retry_after_s: Time until the client should ask again.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"ask again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class QueueFullError(RetryLaterError):
    """The queue is full, or so long that the answer would be late."""


class BreakerOpenError(RetryLaterError):
    """The engine failed repeatedly; requests are refused for a while."""


class DeadlineError(EngineError):
    """The answer would have come after the deadline."""


class StoppedError(EngineError):
    """The service is shutting down."""


class EngineFaultError(EngineError):
    """The engine failed on this request; the cause is in the log."""
