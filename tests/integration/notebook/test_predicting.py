"""`hydrascope predict`: a source becomes files, whoever works on it and however often it stops."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks.predict import run as benchmark
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.evaluation.predictions import predict
from hydrascope.experiment.restore import restore
from hydrascope.experiment.source import source_of
from hydrascope.notebook.answerer import Answerer
from hydrascope.packaging.bundle import Bundle
from hydrascope.prediction.carried import Carried
from hydrascope.prediction.pool import Pool, open_pool
from hydrascope.prediction.run import Answered, run
from hydrascope.prediction.shards import SHARD_WINDOWS, Job
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry import ZemaSource
from hydrascope.telemetry.fleet import FleetSource

WINDOWS, FILE = 2205, "zema.parquet"


class Stopping:
    """Works in this process, and is stopped after some shards."""

    def __init__(self, shards: int) -> None:
        self._shards = shards

    def run(
        self, work: Callable[[Carried[Any], Any], Any], job: Carried[Any], tasks: Iterable[Any]
    ) -> Iterator[Any]:
        for number, task in enumerate(tasks):
            if number == self._shards:
                raise KeyboardInterrupt
            yield work(job, task)


@pytest.fixture(scope="module")
def job(opened: Bundle) -> Job:
    answerer = Answerer(opened)
    return Job(answerer, ZemaSource(), answerer.spec(), None)


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of all cycles, as the command writes it."""
    out = tmp_path_factory.mktemp("predictions")
    done = CliRunner().invoke(
        app, ["predict", str(folder), "data=zema", "--out", str(out)], catch_exceptions=False
    )
    assert f"{5 * WINDOWS:,} answers to {WINDOWS:,} windows" in done.stdout
    return out / FILE


def predicted(job: Job, out: Path, pool: Pool) -> tuple[Answered, list[int]]:
    """Run; return what was done, and the windows of all steps of the bar."""
    steps: list[int] = []
    return run(job, out, pool, lambda _: None, steps.append), steps


def test_the_numbers_are_those_of_an_evaluation(whole: Path, light: str, opened: Bundle) -> None:
    _, evaluated, data = restore(light)
    found = predict(evaluated, data.test_dataloader())
    table = pd.read_parquet(whole)
    assert (table["model"] == opened.version).all()
    for head in evaluated.heads:
        said = found[head.name]
        start = data.table["start"].iloc[said.window.numpy()]
        own = table[table["head"] == head.name].set_index("start").loc[start]
        if head.classes:
            names = [each.name for each in head.classes]
            rows = [dict(each) for each in own["probabilities"]]
            numbers = np.array([[row[name] for name in names] for row in rows])
        else:
            numbers = own[["probability"]].to_numpy()
        np.testing.assert_allclose(numbers, said.prediction.numpy(), atol=1e-6)
        assert said.right is not None
        np.testing.assert_allclose(own["right"], said.right.numpy(), atol=1e-6)
        if head.classes:
            best = [names[each] for each in numbers.argmax(1)]
            known = own["reliable"].to_numpy(dtype=bool)
            assert own["outcome"][known].tolist() == np.array(best)[known].tolist()
            assert own["outcome"][~known].isna().all()


def test_a_stopped_run_continues_and_two_workers_write_the_same_bytes(
    whole: Path, job: Job, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        predicted(job, tmp_path, Stopping(1))
    assert not (tmp_path / FILE).exists()
    with open_pool(2) as pool:
        done, steps = predicted(job, tmp_path, pool)
    assert (done.rows, done.windows) == (5 * WINDOWS, WINDOWS)
    # What the first run had finished is counted at once, then each shard as it comes.
    assert steps[0] == SHARD_WINDOWS
    assert sorted(steps[1:]) == [WINDOWS - 2 * SHARD_WINDOWS, SHARD_WINDOWS]
    assert (tmp_path / FILE).read_bytes() == whole.read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {FILE, ".lock"}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra `ray`)")
def test_one_worker_two_and_a_ray_cluster_write_the_same_bytes_of_a_day(
    folder: Path, ray_settings: None
) -> None:
    rows = benchmark(days=1, rounds=1, bundle=folder)
    assert all(row["value"] > 0 for row in rows if row["unit"] == "windows/s")
    assert (rows[-1]["name"], rows[-1]["value"]) == ("files that differ, of 5", 0)


def test_answers_of_another_model_or_to_other_windows_are_not_mixed(
    whole: Path, job: Job, opened: Bundle, tmp_path: Path
) -> None:
    shutil.copy(whole, tmp_path)
    done, _ = predicted(job, tmp_path, Stopping(0))
    assert (done.skipped, done.windows) == (["zema"], 0)
    answerer = Answerer(replace(opened, version="another"))
    for other in (job._replace(answerer=answerer), job._replace(spec=job.answerer.spec(30.0))):
        with pytest.raises(SpecError, match=r"out: .*zema.parquet holds answers of another model"):
            predicted(other, tmp_path, Stopping(0))
    assert (tmp_path / FILE).read_bytes() == whole.read_bytes()


def test_a_source_is_chosen_as_for_a_training() -> None:
    fleet = source_of(["data=fleet", "data.source.machines_per_kind=1", "data.source.hours=0.1"])
    assert isinstance(fleet, FleetSource)
    assert len(fleet.machines()) == 4
    for words, said in (
        (["data=fleet", "model=linear"], r"model=linear: is not accepted; expected a folder, or"),
        (["data=fleet", "data.source.hour=1"], r"hour"),
        (["data=parquet"], r"data\.source\.folder"),
    ):
        with pytest.raises(SpecError, match=said):
            source_of(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no"], r"folder: 'no' is not a folder"),
        (["data=zema", "--time-zone", "UTC"], r"time_zone: describes a folder"),
        (["data=zema", "--workers", "0"], r"workers: 0 is not accepted; expected 1 or more, or -1"),
        (["data=zema", "--stride", "0"], r"stride_s: 0 is not accepted"),
        (["data=fleet", "data.source.machines_per_kind=1"], r"excavator|kind"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=said):
        CliRunner().invoke(app, ["predict", str(folder), *words], catch_exceptions=False)
    assert not list(tmp_path.glob("predictions/*.parquet"))
