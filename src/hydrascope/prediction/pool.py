"""Workers: processes of this computer by joblib, or those of a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from joblib import Parallel, delayed

from hydrascope.prediction.carried import Carried
from hydrascope.schemas.errors import ServiceError, SpecError

JobT = TypeVar("JobT")
TaskT = TypeVar("TaskT")
AnswerT = TypeVar("AnswerT")
Work = Callable[[Carried[JobT], TaskT], AnswerT]
_AHEAD = 2
"""The tasks a worker that wait or are worked on."""


class Pool(Protocol):
    """Works on tasks in parallel."""

    def run(
        self, work: Work[JobT, TaskT, AnswerT], job: Carried[JobT], tasks: Iterable[TaskT]
    ) -> Iterator[AnswerT]:
        """Yield the answers to all tasks, as they come.

        Raises:
            SpecError: As the work raises it.
            ServiceError: A worker has died.
        """


@contextmanager
def open_pool(workers: int, ray: str | None = None) -> Iterator[Pool]:
    """Yield some workers, and end them afterwards.

    Args:
        workers: Processes that work at a time; -1: one per core of this computer or the cluster.
        ray: Address of a Ray cluster; `auto`: that of this computer; `local`: a new one, which ends
            afterwards; None: no Ray.

    Raises:
        SpecError: A setting is not accepted, or Ray is not installed or cannot be reached.
    """
    if workers < 1 and workers != -1:
        raise SpecError(f"workers: {workers} is not accepted; expected 1 or more, or -1")
    if ray is None:
        yield _LocalPool(workers)
        return
    if find_spec("ray") is None:
        raise SpecError(f"ray: {ray!r} needs ray; write pip install 'hydrascope[ray]'")
    from hydrascope.prediction.ray_pool import open_ray_pool

    with open_ray_pool(workers, None if ray == "local" else ray) as pool:
        yield pool


class _LocalPool:
    """Processes of this computer; one worker is this process."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(
        self, work: Work[JobT, TaskT, AnswerT], job: Carried[JobT], tasks: Iterable[TaskT]
    ) -> Iterator[AnswerT]:
        """Yield the answers to all tasks, as they come."""
        pool: Any = Parallel(
            n_jobs=self._workers, return_as="generator_unordered", pre_dispatch=f"{_AHEAD}*n_jobs"
        )
        try:
            yield from pool(delayed(work)(job, task) for task in tasks)
        except BrokenProcessPool as error:
            raise ServiceError(
                "a worker was killed, perhaps for want of memory; what is finished is kept: repeat "
                "the command, with fewer workers if need be"
            ) from error
