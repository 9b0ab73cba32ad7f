"""Workers of a Ray cluster."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from os import cpu_count

import ray
from ray.exceptions import RayError, RayTaskError

from hydrascope.experiment.launcher.ray import connect
from hydrascope.prediction.carried import Carried
from hydrascope.prediction.pool import AnswerT, JobT, TaskT, Work
from hydrascope.schemas.errors import ServiceError


@contextmanager
def open_ray_pool(workers: int, address: str | None) -> Iterator["RayPool"]:
    """Connect to a cluster, or start one here, and disconnect afterwards.

    Args:
        workers: Cores in use at a time; -1: all.
        address: Of the cluster; None: a new one on this computer.

    Raises:
        SpecError: The cluster cannot be reached.
    """
    connect(address, workers if workers > 0 else (cpu_count() or 1), "ray")
    try:
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        yield RayPool(workers if workers > 0 else int(resources["CPU"]))
    finally:
        ray.shutdown()


class RayPool:
    """Processes of a cluster that is connected.

    Args:
        workers: Tasks that are worked on at a time, on one core each.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(
        self, work: Work[JobT, TaskT, AnswerT], job: Carried[JobT], tasks: Iterable[TaskT]
    ) -> Iterator[AnswerT]:
        """Yield the answers to all tasks, as they come.

        Raises:
            SpecError: As the work raises it.
            ServiceError: A worker has died, several times over.
        """
        remote, shared, left = ray.remote(num_cpus=1)(work), ray.put(job), iter(tasks)
        running: list[ray.ObjectRef[AnswerT]] = []
        try:
            while True:
                free = self._workers - len(running)
                running += [remote.remote(shared, task) for task in islice(left, free)]
                if not running:
                    return
                done, running = ray.wait(running)
                yield from ray.get(done)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise ServiceError(f"ray: {' '.join(str(error).split())[:500]}") from error
        finally:
            for each in running:
                ray.cancel(each)
