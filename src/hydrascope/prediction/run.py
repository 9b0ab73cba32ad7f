"""A run over a source: finished parts are skipped, the rest is answered, machines become files."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

from filelock import FileLock, Timeout

from hydrascope.data.windows import WindowPlan
from hydrascope.prediction.answer_file import join_parts, key_of_file
from hydrascope.prediction.carried import Carried
from hydrascope.prediction.pool import Pool
from hydrascope.prediction.references import first_windows
from hydrascope.prediction.shards import (
    Job,
    Shard,
    Subject,
    file_of,
    key_of,
    parts_of,
    shards_of,
)
from hydrascope.prediction.work import answer_shard, lay_windows
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.windows import GivenReference

Planned = Callable[[int], None]
"""Is told the number of windows of all machines."""
Advanced = Callable[[int], None]
"""Is told how many more windows are answered."""


class Answered(NamedTuple):
    """What a run did."""

    rows: int
    """The answers in the files that it wrote."""
    windows: int
    """The windows in them."""
    skipped: Sequence[str]
    """Machines whose file was there."""
    short: Sequence[str]
    """Machines without a whole window."""
    padded: Sequence[str]
    """Machines without a whole window that have a padded one."""


def run(job: Job, output: Path, pool: Pool, planned: Planned, advanced: Advanced) -> Answered:
    """Answer every whole window of a source; write `<equipment_id>.parquet` for each machine.

    The files depend neither on the workers nor on interruptions. Shards that an interrupted run has
    finished are not answered again.

    Args:
        job: What to answer, and with what.
        output: Folder of the files, which all workers share; created if it is missing.
        pool: The workers.
        planned: Is called once.
        advanced: Is called for each shard that is there or comes.

    Raises:
        SpecError: The model cannot read a machine, or a file holds other answers.
        ServiceError: A database does not answer, or a worker has died.
        OSError: A file cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    with _owned(output):
        subjects, skipped = _left(job, output)
        carried = Carried(job)
        plans = dict(pool.run(lay_windows, carried, subjects.values()))
        planned(sum(map(len, plans.values())))
        short = [name for name in subjects if not len(plans[name])]
        padded = [name for name in subjects if plans[name].spec.padded]
        rows = windows = 0
        for name, parts in _finished(carried, output, pool, subjects, plans, advanced):
            rows += join_parts(file_of(output, name), parts, subjects[name].key)
            windows += len(plans[name])
        rmtree(parts_of(output), ignore_errors=True)
    return Answered(rows, windows, skipped, short, padded)


def _left(job: Job, output: Path) -> tuple[dict[str, Subject], list[str]]:
    """Return the machines to answer by name, and those whose file is there.

    Raises:
        SpecError: There is a file of other answers.
    """
    machines = job.source.machines()
    given = _references(job, machines)
    subjects, skipped = {}, []
    for name, machine in machines.items():
        file, key = file_of(output, name), key_of(job, machine, given[name])
        if not file.exists():
            subjects[name] = Subject(machine, given[name], key)
        elif key_of_file(file) == key:
            skipped.append(name)
        else:
            raise SpecError(
                f"out: {file} holds answers of another model or version of Hydrascope, to other "
                "telemetry, or for another database; choose another folder, or remove the file"
            )
    return subjects, skipped


def _references(job: Job, machines: Mapping[str, Machine]) -> dict[str, GivenReference | None]:
    if (hours := job.reference_h) is not None:
        return {
            name: first_windows(job.source, machine, job.spec, hours)
            for name, machine in machines.items()
        }
    return dict.fromkeys(machines) if job.table is None else job.table.references(machines)


def _finished(
    job: Carried[Job],
    output: Path,
    pool: Pool,
    subjects: Mapping[str, Subject],
    plans: Mapping[str, WindowPlan],
    advanced: Advanced,
) -> Iterator[tuple[str, list[Path]]]:
    """Answer all shards; yield each machine with the files of its shards, once all are there."""
    shards = {
        name: list(shards_of(output, subject, plans[name]))
        for name, subject in subjects.items()
        if len(plans[name])
    }
    left: list[Shard] = []
    waiting: Counter[str] = Counter()
    for name, own in shards.items():
        missing = [shard for shard in own if not shard.path.exists()]
        left += missing
        waiting[name] = len(missing)
        advanced(sum(len(shard.rows) for shard in own if shard.path.exists()))
        if not missing:
            yield name, [shard.path for shard in own]
    for name, windows in pool.run(answer_shard, job, left):
        advanced(windows)
        waiting[name] -= 1
        if not waiting[name]:
            yield name, [shard.path for shard in shards[name]]


@contextmanager
def _owned(output: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    Raises:
        SpecError: One is at work in it.
    """
    try:
        lock = FileLock(output / ".lock").acquire(timeout=0)
    except Timeout:
        raise SpecError(
            f"out: another run writes into {output}; expected another folder, or wait for its end"
        ) from None
    with lock:
        yield
