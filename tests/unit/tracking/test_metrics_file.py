"""The metrics of a run are a whole file, also where there is no room and where a run is resumed."""

import csv
import resource
from pathlib import Path

import pytest
from lightning.pytorch.loggers import Logger

from hydrascope.tracking.metrics_file import METRICS, MetricsFile


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / METRICS).open(newline="") as file:
        return list(csv.DictReader(file))


def log(logger: Logger, step: int | None, **values: float) -> None:
    logger.log_metrics(values, step)
    logger.save()


def test_each_row_has_the_columns_of_all(tmp_path: Path) -> None:
    logger = MetricsFile(tmp_path)
    log(logger, 6, epoch=0, loss=0.5)
    log(logger, 6, epoch=0, score=0.25)
    log(logger, None, test=1.0)
    assert rows(tmp_path) == [
        {"epoch": "0", "loss": "0.5", "score": "", "step": "6", "test": ""},
        {"epoch": "0", "loss": "", "score": "0.25", "step": "6", "test": ""},
        {"epoch": "", "loss": "", "score": "", "step": "", "test": "1.0"},
    ]


def test_a_run_that_is_resumed_in_its_folder_keeps_its_rows_up_to_there(tmp_path: Path) -> None:
    logger = MetricsFile(tmp_path)
    for epoch in range(3):
        log(logger, 10 * epoch, epoch=epoch, loss=1.0)
    log(logger, None, test=1.0)
    log(MetricsFile(tmp_path), 15, epoch=1, loss=0.5)
    assert [(row["step"], row["loss"]) for row in rows(tmp_path)] == [
        ("0", "1.0"),
        ("10", "1.0"),
        ("15", "0.5"),
    ]


def test_where_there_is_no_room_the_rows_of_before_stay(tmp_path: Path) -> None:
    logger = MetricsFile(tmp_path)
    log(logger, 0, loss=1.0)
    before = (tmp_path / METRICS).read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 1, limit[1]))
    try:
        with pytest.raises(OSError, match=METRICS):
            log(logger, 1, loss=1.0, another=2.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (tmp_path / METRICS).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [METRICS]
