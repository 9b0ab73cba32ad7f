"""What a worker does: lay the windows of a machine, answer a shard."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import torch

from hydrascope.data.windows import WindowPlan
from hydrascope.notebook.answerer import AT_ONCE
from hydrascope.prediction.answer_columns import answer_table
from hydrascope.prediction.answer_file import write_part
from hydrascope.prediction.carried import Carried
from hydrascope.prediction.diagnosed import diagnosed_windows
from hydrascope.prediction.shards import Job, Shard, Subject


def lay_windows(job: Carried[Job], subject: Subject) -> tuple[str, WindowPlan]:
    """Return a machine's name and its windows.

    Raises:
        SpecError: The model cannot read the machine.
    """
    answerer, source, spec = job.content.answerer, job.content.source, job.content.spec
    with _one_thread():
        return subject.name, answerer.plan(source, subject.machine, spec, subject.given)


def answer_shard(job: Carried[Job], shard: Shard) -> tuple[str, int]:
    """Answer a shard and write its file; return the machine's name and the number of windows.

    The database comes first: what is in a file is there too.

    Raises:
        SpecError: The telemetry is damaged.
        ServiceError: The database does not answer.
        OSError: The file cannot be written.
    """
    shard.path.parent.mkdir(parents=True, exist_ok=True)
    with _one_thread():
        write_part(shard.path, _answered(job.content, shard))
    return shard.name, len(shard.rows)


def _answered(job: Job, shard: Shard) -> Iterator[pa.Table]:
    manifest, version = job.answerer.manifest, job.answerer.version
    for first in range(shard.rows.start, shard.rows.stop, AT_ONCE):
        rows = range(first, min(first + AT_ONCE, shard.rows.stop))
        windows = job.answerer.answer(job.source, shard.plan, rows, shard.given)
        if job.table is not None:
            kept = diagnosed_windows(job.answerer, job.source, shard.plan, rows, windows)
            job.table.write(shard.name, kept, version)
        yield answer_table(manifest, version, windows)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread, whose sums are always in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
